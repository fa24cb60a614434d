"""release: the project's own command, once per deploy, before any traffic moves."""

from functools import partial

from tako_modules.base.errors import Cancelled, Refused
from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import RunRelease
from tako_modules.protocol.replies import ExitData, LineEvent

from ..control import Control, check_id
from ..ledger import release_of

__all__ = ["LONGEST", "answer"]

LONGEST = 600.0  # seconds


async def answer(request: RunRelease, call: Call, control: Control) -> ExitData:
    """Run it in the prepared release as the app's user; its lines are streamed."""
    check_id(request.app)
    control.leases.check(request.app, request.fence)
    entry = control.entry(request.app)
    release = release_of(entry, request.version)
    if not release.prepared:
        raise Refused(f"{request.version} is not prepared", code="not_found", hint="run `tako deploy` again")

    async def tell(text: str) -> None:
        await call.event(LineEvent(text=text))

    task = control.crew.command_task(release, request.run)
    ends = (call.gone.wait, partial(control.leases.lost, request.app, request.fence))
    async with entry.work:
        control.leases.check(request.app, request.fence)
        try:
            code = await control.crew.chores.run(task, tell, seconds=min(request.timeout, LONGEST), ends=ends)
        except Cancelled:
            control.leases.check(request.app, request.fence)  # says so where that is why
            raise
    return ExitData(exit_code=code)
