"""lease: take, renew or give the right to change a deployment."""

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import Lease
from tako_modules.protocol.replies import LeaseData

from ..control import Control, check_id

__all__ = ["answer"]


async def answer(request: Lease, call: Call, control: Control) -> LeaseData:
    """Do what `action` says; raises LeaseRefusal."""
    check_id(request.app)
    if request.action == "take":
        return control.leases.take(request.app, request.owner)
    if request.action == "renew":
        return control.leases.renew(request.app, request.fence)
    if request.action == "give":
        given = control.leases.give(request.app, request.fence)
        await control.tidy(request.app)
        return given
    raise Refused(f"a lease cannot be {request.action!r}", code="invalid", hint="use take, renew or give")
