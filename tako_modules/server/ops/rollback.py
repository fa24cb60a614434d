"""rollback: an earlier deployment serves again, with its routes, variables and scaling of then."""

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.model.deployment import Kind, Rollout
from tako_modules.protocol.messages import Rollback
from tako_modules.protocol.replies import DeployedData

from ..change import change
from ..control import Control
from ..ledger import release_of
from ..registry import Entry
from ..rollouts import WINDOW_SECONDS, Wish

__all__ = ["answer"]


async def answer(request: Rollback, call: Call, control: Control) -> DeployedData:
    """Find the deployment to go back to and roll it out."""
    entry = control.entry(request.app)
    control.leases.check(request.app, request.fence)
    target = _target(entry, request.version, control)
    release = release_of(entry, target.after.version)
    served = release.served
    wish = Wish(
        kind=Kind.ROLLBACK,
        after=target.after,
        window=0.0 if served else WINDOW_SECONDS,
        parallel=served,
        note=f"rollback to {target.id}",
        requested_by=str(call.peer.uid),
    )
    return await change(entry, wish, request.fence, call, control)


def _target(entry: Entry, wanted: str, control: Control) -> Rollout:
    running = entry.deployment.shape.version if entry.deployment.shape else ""
    good = [rollout for rollout in control.ledger.good_rollouts(entry.app) if rollout.after.version in entry.releases]
    if wanted:
        found = next((one for one in good if wanted in (one.id, one.after.version)), None)
    else:
        found = next((one for one in good if one.after.version != running), None)
    if found is None:
        raise Refused(
            f"{wanted or 'an earlier good deployment'} of {entry.app} is not kept on this server",
            code="not_found",
            hint="run `tako releases` to see what is kept",
        )
    return found
