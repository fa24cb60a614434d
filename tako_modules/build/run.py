"""Run a project's build command and pass its output on, line by line."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream, Process

from tako_modules.base.errors import TakoError

__all__ = ["LINE_LIMIT", "run_build"]

LINE_LIMIT = 16_384  # bytes of one line that is shown: longer ones are broken, so that a progress bar costs no memory
_BUILD_SECONDS = 3600.0  # a build that takes an hour hangs
_LAST_SECONDS = 2.0  # for output that is still in the pipe when a daemon that escaped holds it open
_TAIL = 20  # last lines that an error repeats
_GUARDED = """exec 3<&0 </dev/null
(read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
exec 3<&-
exec /bin/sh -c "$1"
"""  # its standard input ends when tako does, however that ends: then the guard ends the whole group


async def run_build(command: str, folder: Path, report: Callable[[str], None], *, repeats: bool = True) -> None:
    """Run `command` through sh in the project; every line of its output goes to `report`.

    Its whole process group is ended when this is cancelled, and when tako is killed.
    Raises TakoError when it fails or takes too long; repeats: with the last lines in it.
    """
    argv = ("/bin/sh", "-c", _GUARDED, "sh", command)
    process = await anyio.open_process(
        argv, cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    tail: list[str] = []

    def show(line: str) -> None:
        del tail[: -_TAIL + 1]
        tail.append(line)
        report(line)

    try:
        with anyio.fail_after(_BUILD_SECONDS):
            code = await _watch(process, show)
    except TimeoutError as error:
        raise TakoError(f"the build took longer than {_BUILD_SECONDS:.0f} s: {command}") from error
    finally:
        with anyio.CancelScope(shield=True):
            _kill(process)
            await process.aclose()
    if code:
        how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
        shown = "".join(f"\n    {line}" for line in tail) if repeats else ""
        raise TakoError(f"the build failed ({how}): {command}{shown}", hint=f"run it yourself: {command}")


async def _watch(process: Process, show: Callable[[str], None]) -> int:
    """Pass output on until the shell ends; what it left in the background ends with it, and cannot hold us up."""
    assert process.stdout is not None
    done = anyio.Event()

    async def read(stream: ByteReceiveStream) -> None:
        await _pass_on(stream, show)
        done.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, process.stdout)
        code = await process.wait()
        _kill(process)
        with anyio.move_on_after(_LAST_SECONDS):
            await done.wait()
        tasks.cancel_scope.cancel()
    return code


async def _pass_on(stream: ByteReceiveStream, show: Callable[[str], None]) -> None:
    waiting = b""
    async for chunk in stream:
        *lines, waiting = (waiting + chunk).split(b"\n")
        for line in lines:
            show(_text(line))
        while len(waiting) > LINE_LIMIT:
            show(_text(waiting[:LINE_LIMIT]))
            waiting = waiting[LINE_LIMIT:]
    if waiting:
        show(_text(waiting))


def _text(line: bytes) -> str:
    """Decode a line; of one that overwrites itself only the last state counts."""
    return line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")


def _kill(process: Process) -> None:
    """Kill what is left of the build, background children too."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
