"""cancel: stop the rollout that runs and restore what was before."""

import msgspec

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.model.deployment import Outcome
from tako_modules.plan import rollout
from tako_modules.protocol.messages import Cancel
from tako_modules.protocol.replies import StoppedData

from .. import facts
from ..control import Control

__all__ = ["answer"]


async def answer(request: Cancel, call: Call, control: Control) -> StoppedData:
    """Begin the undoing; the waiting deploy answers when it is done. Raises Refused once it is too late."""
    entry = control.entry(request.app)
    cancelling = StoppedData(status="cancelling", app=request.app)
    if control.leases.call_off(request.app, request.fence):
        return cancelling
    running = entry.deployment.rollout
    if running is None or not rollout.cancellable(running):
        raise Refused(
            "it is too late to cancel: the last new instance has traffic already",
            code="too_late",
            hint="run `tako rollback` to go back",
        )
    undone = msgspec.structs.replace(
        running,
        undoing=True,
        outcome=Outcome.CANCELLED,
        reason="cancelled",
        deadline=control.clock.monotonic() + rollout.UNDO_SECONDS,
    )
    control.ledger.change(entry, msgspec.structs.replace(entry.deployment, rollout=undone))
    control.inbox.put(request.app, facts.Tick())
    return cancelling
