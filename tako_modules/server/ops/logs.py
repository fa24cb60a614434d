"""logs: what instances printed, and the app's own log files, old lines first, then new ones while followed."""

from functools import partial

import anyio

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import Logs
from tako_modules.protocol.replies import ExitData, LineEvent
from tako_modules.telemetry import follow

from ..control import Control

__all__ = ["MOST_LINES", "answer"]

MOST_LINES = 10_000  # lines of one answer; more is what `--since` is for


async def answer(request: Logs, call: Call, control: Control) -> ExitData:
    """Stream the lines; ends when all are sent, or, following, when the client leaves."""
    control.entry(request.app)
    if not 0 <= request.lines <= MOST_LINES:
        raise Refused(f"lines must be 0 to {MOST_LINES}", code="invalid", hint="run `tako logs --lines 200`")
    folders = (control.host.paths.logs / request.app, control.host.paths.app(request.app).logs)
    position, lines = await anyio.to_thread.run_sync(
        partial(follow.tail, folders, lines=request.lines, since=request.since)
    )
    for line in lines:
        await call.event(LineEvent(text=line.text, instance=line.source, at=line.at))
    if request.follow:
        await _follow(position, call, control)
    return ExitData(exit_code=0)


async def _follow(position: follow.Position, call: Call, control: Control) -> None:
    async with anyio.create_task_group() as tasks:

        async def leave() -> None:
            await call.gone.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(leave)
        async for line in follow.follow(position, control.clock):
            await call.event(LineEvent(text=line.text, instance=line.source, at=line.at))
