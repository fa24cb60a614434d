"""start: a stopped deployment serves again."""

from tako_modules.mgmt.server import Call
from tako_modules.model.deployment import Kind
from tako_modules.protocol.messages import Start
from tako_modules.protocol.replies import DeployedData

from ..change import change, serving_shape
from ..control import Control
from ..rollouts import Wish

__all__ = ["answer"]


async def answer(request: Start, call: Call, control: Control) -> DeployedData:
    """Start its instances; one that runs already is left as it is."""
    entry = control.entry(request.app)
    control.leases.check(request.app, request.fence)
    shape = serving_shape(entry)
    wish = Wish(kind=Kind.START, after=shape, window=0.0, parallel=True, requested_by=str(call.peer.uid))
    return await change(entry, wish, request.fence, call, control)
