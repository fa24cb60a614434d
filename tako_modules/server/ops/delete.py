"""delete: a deployment goes, with its instances, releases, routes and user."""

import anyio

from tako_modules.base.clock import utc_text
from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import Delete
from tako_modules.protocol.replies import DeletedData

from .. import facts
from ..control import Control, check_id
from .stop import STOP_SECONDS

__all__ = ["answer"]


async def answer(request: Delete, call: Call, control: Control) -> DeletedData:
    """Take it away; deleting what is not there is no error."""
    check_id(request.app)
    control.leases.check(request.app, request.fence)
    entry = control.registry.get(request.app)
    existed = entry is not None
    if entry is not None:
        if entry.deployment.rollout is not None:
            raise Refused(f"{request.app} is being changed", code="busy", hint="wait for it, or run `tako status`")
        entry.set(stopped=True)
        control.ledger.save_deployment(entry.deployment)
        control.inbox.put(request.app, facts.Tick())
        await control.until(lambda: all(one.gone for one in entry.instances.values()), STOP_SECONDS)
        control.registry.remove(request.app)
        control.publish()
    stamp = utc_text(control.clock.now()).replace(":", "").replace("-", "")
    kept, size = await anyio.to_thread.run_sync(
        lambda: control.host.remove_app(request.app, purge=request.purge, stamp=stamp)
    )
    control.feeds.tally.drop(request.app)
    await control.host.remove_user(request.app)
    control.ledger.remove_app(request.app, files_left=kept is not None)
    return DeletedData(app=request.app, existed=existed, trash=str(kept) if kept else "", trash_bytes=size)
