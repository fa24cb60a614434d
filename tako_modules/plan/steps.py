"""What control can be told to do about one deployment; `server/steps` carries each out."""

import msgspec

from tako_modules.model.deployment import Outcome

__all__ = [
    "Admit",
    "Break",
    "Commit",
    "Finish",
    "Forget",
    "Kill",
    "Retire",
    "Sleep",
    "Spawn",
    "Step",
    "Terminate",
    "Undo",
]


class Spawn(msgspec.Struct, frozen=True):
    """Start an instance of a version under the next number."""

    version: str


class Admit(msgspec.Struct, frozen=True):
    """Let the proxy send it traffic."""

    number: int


class Retire(msgspec.Struct, frozen=True):
    """Take it out of the route table; it ends once its requests are done."""

    number: int


class Terminate(msgspec.Struct, frozen=True):
    """Ask it to finish and exit: SIGTERM."""

    number: int


class Kill(msgspec.Struct, frozen=True):
    """End it: SIGKILL to its process group."""

    number: int


class Break(msgspec.Struct, frozen=True):
    """It did not become healthy in time."""

    number: int
    reason: str


class Forget(msgspec.Struct, frozen=True):
    """Its process is gone and nothing waits for it any more."""

    number: int


class Commit(msgspec.Struct, frozen=True):
    """All new instances have traffic: the new shape is in force from here on, whatever happens."""


class Undo(msgspec.Struct, frozen=True):
    """The rollout failed: restore what was before."""

    reason: str


class Finish(msgspec.Struct, frozen=True):
    """The rollout has ended, and nothing of it is left to do."""

    outcome: Outcome


class Sleep(msgspec.Struct, frozen=True):
    """Nobody has asked for this on-demand deployment for its idle time."""


Step = Spawn | Admit | Retire | Terminate | Kill | Break | Forget | Commit | Undo | Finish | Sleep
