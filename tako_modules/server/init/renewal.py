"""Go on as another file in the same process: check the new file in a child first, then exec with everything kept."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from . import systemd
from .family import CHECK, Child, Family
from .launch import CannotLaunch, Launch, launch
from .requests import Reexec
from .state import State, save

__all__ = ["ACCEPTED", "STATE", "Renewal"]

STATE = "--state"  # the option that init adds at the end of its own
ACCEPTED = b"ok\n"  # what a file that can go on says to --check, and nothing else
CHECK_SECONDS = 10  # a new file must start and read the state within this time
OUTPUT_LIMIT = 4096  # bytes read of what it says instead
REASON_LIMIT = 300  # of these, the last ones: Python names the error at the end
FIRST_GIVEN = 3


class Renewal:
    """One re-exec at a time; a request that comes during a check is looked at after it, the newest only."""

    def __init__(self, file: str, argv: Sequence[str]) -> None:
        self.file = file
        self.argv = tuple(argv)
        self._checking: Reexec | None = None
        self._wanted: Reexec | None = None

    def ask(self, request: Reexec, state: Callable[[], State], family: Family) -> str:
        """Begin to check the new file; returns why that could not even begin, or nothing."""
        if self._checking is not None:
            self._wanted = request
            return ""
        self._checking = request
        systemd.reloading()
        try:
            self._start_check(request, state(), family)
        except (CannotLaunch, OSError) as error:
            return self.refuse(str(error))
        return ""

    def refuse(self, problem: str) -> str:
        """Give the request up: everything goes on as it was; returns the problem."""
        self._checking = None
        line = " ".join(problem.split())
        systemd.say(f"re-exec refused: {line}")
        systemd.notify(f"READY=1\nSTATUS=re-exec refused: {line}")
        return problem

    def verdict(self, child: Child) -> str:
        """Read what an ended check said: the problem, or nothing when the file can go on."""
        said = b""
        for number in child.descriptors:
            os.set_blocking(number, False)
            with suppress(BlockingIOError):
                said = os.read(number, 1 << 16)[-OUTPUT_LIMIT:]
            os.close(number)
        if child.code == 0 and said == ACCEPTED:
            return ""
        return f"check ended with {child.code}: {said.decode(errors='replace').strip()[-REASON_LIMIT:]}"

    def next(self) -> Reexec | None:
        """Take the request that came during the check; the check then counts for nothing."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._checking = None
        return wanted

    def go(self, state: State) -> str:
        """Become the checked file; returns only when that fails, with the reason. Signals must be held."""
        file, argv = self._target(self._checking or Reexec())
        memory = save(state)
        kept = [memory, *state.descriptors()]
        for number in kept:
            os.set_inheritable(number, True)
        try:
            os.execv(sys.executable, _command(file, argv, memory))  # noqa: S606 - no shell is meant
        except OSError as error:
            for number in kept:
                os.set_inheritable(number, False)
            os.close(memory)
            return f"exec {sys.executable}: {error}"

    def _target(self, request: Reexec) -> tuple[str, tuple[str, ...]]:
        return request.file or self.file, self.argv if request.argv is None else request.argv

    def _start_check(self, request: Reexec, state: State, family: Family) -> None:
        file, argv = self._target(request)
        memory = save(state)
        receiver, sender = os.pipe2(os.O_CLOEXEC)
        try:
            pid = launch(
                Launch(
                    argv=(*_command(file, argv, FIRST_GIVEN), "--check"),
                    env=systemd.variables_for_control(),
                    descriptors=(memory,),
                    output=sender,
                    seconds=CHECK_SECONDS,
                )
            )
        except CannotLaunch:
            os.close(receiver)
            raise
        finally:
            os.close(memory)
            os.close(sender)
        family.add(CHECK, CHECK, pid, state.build, receiver)


def _command(file: str, argv: Sequence[str], memory: int) -> tuple[str, ...]:
    """Write the command line of an init that goes on: isolated, without site, the state last."""
    return (sys.executable, "-IS", file, *argv, STATE, str(memory))
