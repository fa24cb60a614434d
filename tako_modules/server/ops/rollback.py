"""rollback: an earlier deployment serves again, with its routes, variables and scaling of then."""

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.model.deployment import Kind, Rollout
from tako_modules.plan import rollback as plan
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


def _target(entry: Entry, name: str, control: Control) -> Rollout:
    good = control.ledger.good_rollouts(entry.app)
    found = plan.wanted(good, entry.releases, name) if name else plan.previous(good, entry.releases)
    if found is None:
        raise Refused(
            f"{name or 'an earlier good deployment'} of {entry.app} is not kept on this server",
            code="not_found",
            hint="run `tako releases` to see what is kept",
        )
    return found
