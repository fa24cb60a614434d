"""lease: take, renew or give the right to change a deployment."""

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import Lease, Owner
from tako_modules.protocol.replies import LeaseData

from ..control import Control, check_id

__all__ = ["LONGEST_NAME", "answer"]

LONGEST_NAME = 255  # characters of a user's or a machine's name


async def answer(request: Lease, call: Call, control: Control) -> LeaseData:
    """Do what `action` says; raises LeaseRefusal."""
    check_id(request.app)
    if request.action == "take":
        return control.leases.take(request.app, _checked(request.owner), call.gone)
    if request.action == "renew":
        return control.leases.renew(request.app, request.fence, call.gone)
    if request.action == "give":
        given = control.leases.give(request.app, request.fence)
        await control.tidy(request.app)
        return given
    raise Refused(f"a lease cannot be {request.action!r}", code="invalid", hint="use take, renew or give")


def _checked(owner: Owner) -> Owner:
    """Refuse an owner whose words could not be shown to others: they go to terminals and into a file."""
    for text in (owner.user, owner.host):
        if not text.isprintable() or len(text) > LONGEST_NAME:
            raise Refused(
                f"an owner's user and host are printable and have up to {LONGEST_NAME} characters",
                code="invalid",
                hint="correct the name of this machine with `hostname`",
            )
    return owner
