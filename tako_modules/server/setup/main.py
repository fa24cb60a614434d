"""The programs `__install__` and `__uninstall__`: a request on stdin, lines on stdout, root's rights meanwhile."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

from tako_modules.base import files
from tako_modules.base.clock import Clock, SystemClock, utc_text
from tako_modules.base.errors import TakoError
from tako_modules.protocol import replies
from tako_modules.protocol.errors import MessageError
from tako_modules.protocol.replies import Failure, StepEvent
from tako_modules.protocol.setup import InstallRequest, RemoveRequest, SetupData, decode_setup

from . import apply, look, plan
from .facts import Program
from .remove import remove

__all__ = ["LIMIT", "install", "uninstall"]

LIMIT = 1 << 20  # bytes of a request: a few keys
LOCK = Path("/run/tako-setup.lock")  # held while steps are carried out, also when whoever asked is gone
Answer = Callable[[bytes, Program, Clock], Awaitable[SetupData]]


def install(archive: str, build: str) -> int:
    """Be `__install__`; gives the exit code. archive: the running file; build: its own."""
    return _answer(_install, archive, build)


def uninstall(archive: str, build: str) -> int:
    """Be `__uninstall__`; gives the exit code."""
    return _answer(_uninstall, archive, build)


def _answer(answer: Answer, archive: str, build: str) -> int:
    data = sys.stdin.buffer.read(LIMIT)
    try:
        program = _program(archive, build)
        done = anyio.run(answer, data, program, SystemClock())
    except (TakoError, MessageError) as error:
        _write(replies.encode_error(Failure(message=error.message, code=error.code, hint=error.hint)))
        return 1
    _write(replies.encode_data(done))
    return 0


def _program(archive: str, build: str) -> Program:
    path = Path(archive)
    if not archive or not path.is_file():
        raise TakoError(
            "this tako runs from a checkout and cannot be installed",
            hint="build the file with `python3 build_zipapp.py`, then use dist/tako.pyz",
        )
    runtime = Path(__file__).parents[3].name
    return Program(build=build, archive=archive, digest=files.file_digest(path), runtime=runtime)


async def _install(data: bytes, program: Program, clock: Clock) -> SetupData:
    request = decode_setup(data, InstallRequest)
    with _alone(apply_it=request.apply):
        made = plan.install(await look.look(program), request, program)
        return await _carry_out(made, clock, apply_it=request.apply)


async def _uninstall(data: bytes, program: Program, clock: Clock) -> SetupData:
    request = decode_setup(data, RemoveRequest)
    with _alone(apply_it=request.apply):
        machine = await look.look(program)
        stamp = utc_text(clock.now()).replace(":", "").replace("-", "")  # as `delete` names what it keeps
        done = await _carry_out(remove(machine, request, stamp), clock, apply_it=request.apply)
    return SetupData(steps=done.steps, notes=done.notes, problems=done.problems, apps=tuple(machine.apps))


@contextmanager
def _alone(*, apply_it: bool) -> Iterator[None]:
    """Wait for a run whose connection broke: it ends with the step that it is at, since nobody hears the next one."""
    if not apply_it:
        yield
        return
    with files.file_lock(LOCK):
        yield


async def _carry_out(made: plan.Plan, clock: Clock, *, apply_it: bool) -> SetupData:
    if apply_it and not made.problems:
        await apply.carry_out(made.steps, clock, lambda text: _write(replies.encode_event(StepEvent(text=text))))
    return SetupData(
        steps=tuple(step.text for step in made.steps),
        notes=made.notes,
        problems=tuple((problem.message, problem.hint) for problem in made.problems),
        build=made.build,
    )


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
