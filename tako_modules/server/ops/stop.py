"""stop: end all instances, and keep it so over restarts of the server."""

import msgspec

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import Stop
from tako_modules.protocol.replies import StoppedData

from .. import facts
from ..control import Control

__all__ = ["STOP_SECONDS", "answer"]

STOP_SECONDS = 60.0  # drain, SIGTERM and SIGKILL end within this


async def answer(request: Stop, call: Call, control: Control) -> StoppedData:
    """Stop it; the answer comes when no process is left."""
    entry = control.entry(request.app)
    control.leases.check(request.app, request.fence)
    if entry.deployment.rollout is not None:
        raise Refused(f"{request.app} is being changed", code="busy", hint="wait for it, or run `tako status`")
    with control.leases.pinned(request.app, request.fence):
        control.ledger.change(entry, msgspec.structs.replace(entry.deployment, stopped=True))
        control.inbox.put(request.app, facts.Tick())
        await control.until(lambda: all(one.gone for one in entry.instances.values()), STOP_SECONDS)
    return StoppedData(app=request.app)
