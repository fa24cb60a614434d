"""What control can learn about a deployment; every change of its state begins with one of these."""

import msgspec

from tako_modules.protocol.replies import FailureData

__all__ = [
    "Active",
    "Broke",
    "Drained",
    "Exited",
    "Fact",
    "Passed",
    "Probed",
    "SpawnFailed",
    "Spawned",
    "Tick",
    "Woken",
]


class Spawned(msgspec.Struct, frozen=True, kw_only=True):
    """Init has executed an instance's program."""

    number: int
    pid: int
    birth: int


class SpawnFailed(msgspec.Struct, frozen=True, kw_only=True):
    """Init could not; the message names the step."""

    number: int
    message: str


class Exited(msgspec.Struct, frozen=True, kw_only=True):
    """An instance's process has ended; code is negative for a signal."""

    number: int
    code: int


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """A probe passed; warning: what a person should change all the same."""

    number: int
    warning: str = ""


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """A probe failed; what was seen, for people."""

    number: int
    failure: FailureData


class Broke(msgspec.Struct, frozen=True, kw_only=True):
    """An instance can never become healthy, e.g. another process has its port."""

    number: int
    failure: FailureData


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """No worker gives an instance requests any more, and none is open."""

    number: int


class Woken(msgspec.Struct, frozen=True, kw_only=True):
    """A request waits for a sleeping deployment."""


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """Requests were seen; in_flight: instance number → open requests, over all workers."""

    in_flight: dict[int, int]


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """Time alone may have changed what is to be done."""


Fact = Spawned | SpawnFailed | Exited | Passed | Probed | Broke | Drained | Woken | Active | Tick
