"""Begin: options, inherited descriptors, a state to go on with; then the loop for ever."""

import os
import resource
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import systemd
from .fields import Refused
from .launch import become_subreaper
from .listeners import StartProblem
from .loop import SIGNALS, Loop
from .options import Options, parse
from .parent import Parent
from .programs import worker_identity
from .renewal import ACCEPTED, STATE, Renewal
from .state import State, load

__all__ = ["run"]

FIRST_STRANGER = 3


def run(file: str, argv: Sequence[str]) -> int:
    """Be init; returns the exit code of a start that failed, and ends by SystemExit after a stop."""
    options = parse(argv)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # what comes from here on waits for the handlers
    try:
        state = None if options.state is None else load(options.state)
        if options.check:
            os.write(1, ACCEPTED)
            return 0
        parent = _begin(options, Renewal(file, _own(argv)), state)
    except (StartProblem, Refused, OSError) as problem:
        systemd.say(str(problem))
        return problem.exit_code if isinstance(problem, StartProblem) else 1
    return parent.serve()


def _begin(options: Options, renewal: Renewal, state: State | None) -> Parent:
    kept = systemd.take_stored() if state is None else state.listeners
    _close_strangers(kept.values() if state is None else state.descriptors())
    _allow_many_descriptors()
    become_subreaper()
    if state is None:
        worker_identity(options)  # a user who does not exist is found now, not by a crash loop
    parent = Parent(Loop(), options, renewal)
    parent.begin(kept, state)
    return parent


def _own(argv: Sequence[str]) -> Sequence[str]:
    """Give the options without the state that the init before added at the end."""
    return argv[: argv.index(STATE)] if STATE in argv else argv


def _close_strangers(known: Iterable[int]) -> None:
    """Close what the starter left open, which every app would inherit, and fill the standard places."""
    ours = set(known)
    for name in [entry.name for entry in Path("/proc/self/fd").iterdir()]:
        number = int(name)
        if number >= FIRST_STRANGER and number not in ours:
            _close_quietly(number)
    while (spare := os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)) < FIRST_STRANGER:
        os.set_inheritable(spare, True)
    os.close(spare)


def _close_quietly(number: int) -> None:
    try:
        os.close(number)
    except OSError:
        return  # the descriptor that listed the others


def _allow_many_descriptors() -> None:
    """Raise the soft limit to the hard one: each child costs a descriptor, each unread packet may cost another."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
