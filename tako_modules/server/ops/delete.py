"""delete: a deployment goes, with its instances, releases, routes and user."""

from pathlib import Path

import anyio
import msgspec

from tako_modules.base import files
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
    with control.leases.pinned(request.app, request.fence):
        entry = control.registry.get(request.app)
        if entry is None:
            return await _delete(request, control)
        async with entry.work:  # what an earlier lease had installed or run ends first: it writes where we delete
            return await _delete(request, control)


async def _delete(request: Delete, control: Control) -> DeletedData:
    entry = control.registry.get(request.app)
    existed = entry is not None
    if entry is not None:
        if entry.deployment.rollout is not None:
            raise Refused(f"{request.app} is being changed", code="busy", hint="wait for it, or run `tako status`")
        control.ledger.change(entry, msgspec.structs.replace(entry.deployment, stopped=True))
        control.inbox.put(request.app, facts.Tick())
        await control.until(lambda: all(one.gone for one in entry.instances.values()), STOP_SECONDS)
    stamp = utc_text(control.clock.now()).replace(":", "").replace("-", "")
    with files.disk_errors(f"move the data of {request.app} to the trash"):
        kept, size = await anyio.to_thread.run_sync(
            lambda: control.host.remove_app(request.app, purge=request.purge, stamp=stamp)
        )
    if entry is not None:
        control.registry.remove(request.app)
        control.publish()
    control.feeds.tally.drop(request.app)
    control.ledger.keep_counters(control.feeds.tally.export())
    await control.host.remove_user(request.app)
    left = await anyio.to_thread.run_sync(_in_trash, control.host.paths.trash, request.app)
    control.ledger.remove_app(request.app, files_left=left)
    return DeletedData(app=request.app, existed=existed, trash=str(kept) if kept else "", trash_bytes=size)


def _in_trash(trash: Path, app: str) -> bool:
    """Tell whether data of a deployment is in the trash, from this time or an earlier one: its user owns it still."""
    return trash.is_dir() and any(path.name.rpartition("-")[0] == app for path in trash.iterdir())
