"""restart and reload: new instances of the serving release take over from the old ones."""

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.model.deployment import Kind, Shape
from tako_modules.protocol.messages import Reload, Restart
from tako_modules.protocol.replies import DeployedData

from ..change import change, serving_shape
from ..control import Control
from ..registry import Entry
from ..rollouts import Wish

__all__ = ["answer", "running_shape"]


async def answer(request: Restart | Reload, call: Call, control: Control) -> DeployedData:
    """Replace all instances, all at once, without a stability window: this release has served."""
    entry = control.entry(request.app)
    control.leases.check(request.app, request.fence)
    wish = Wish(
        kind=Kind.RESTART, after=running_shape(entry), window=0.0, parallel=True, requested_by=str(call.peer.uid)
    )
    return await change(entry, wish, request.fence, call, control)


def running_shape(entry: Entry) -> Shape:
    """Give the shape that is in force and not stopped: what is stopped stays so until `start` or `deploy`.

    Raises Refused.
    """
    shape = serving_shape(entry)
    if entry.deployment.stopped:
        raise Refused(f"{entry.app} is stopped", code="stopped", hint="run `tako start` to start it")
    return shape
