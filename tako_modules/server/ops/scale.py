"""scale: more or fewer instances of the release that serves; one that is stopped is refused."""

import msgspec

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.model.deployment import Kind
from tako_modules.protocol.messages import Scale
from tako_modules.protocol.replies import DeployedData

from ..change import change
from ..control import Control
from ..rollouts import Wish
from .deploy import MOST_INSTANCES
from .restart import running_shape

__all__ = ["answer"]


async def answer(request: Scale, call: Call, control: Control) -> DeployedData:
    """Change the number and wait until it holds."""
    entry = control.entry(request.app)
    control.leases.check(request.app, request.fence)
    if not 0 <= request.instances <= MOST_INSTANCES:
        raise Refused(
            f"instances must be 0 to {MOST_INSTANCES}", code="invalid", hint="run `tako scale 2`, or 0 for on demand"
        )
    shape = msgspec.structs.replace(running_shape(entry), instances=request.instances)
    wish = Wish(kind=Kind.SCALE, after=shape, requested_by=str(call.peer.uid))
    return await change(entry, wish, request.fence, call, control)
