"""What runs under a deployment id: its wanted shape, and the rollouts that change it."""

from enum import StrEnum

import msgspec

__all__ = ["AppState", "Counters", "Deployment", "Kind", "Outcome", "Rollout", "Shape", "Vitals"]


class AppState(StrEnum):
    """How a deployment is doing; the words go over the wire."""

    DEPLOYING = "deploying"
    RUNNING = "running"
    IDLE = "idle"
    STOPPED = "stopped"
    ERROR = "error"


class Kind(StrEnum):
    """Why instances are being replaced."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    SCALE = "scale"
    RESTART = "restart"
    START = "start"


class Outcome(StrEnum):
    """How a rollout ended; `in_progress` until then."""

    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment should be: version, routes, number of instances (0 = on demand), seconds until idle."""

    version: str
    routes: tuple[str, ...]
    instances: int = 1
    idle_timeout: int = 300


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a change, from its message to its end; a row of the store.

    before: the shape that serves until `after` does, None for a first deploy; committed: all new instances have traffic
    and the new shape is in force; undoing: it failed or was cancelled and the shape before is being restored;
    window: seconds that a new instance must stay healthy before it gets traffic; parallel: all instances start at once;
    started_at, finished_at: wall time; deadline: monotonic seconds; first_number: instances from here on are its own.
    """

    id: str
    app: str
    kind: Kind
    after: Shape
    before: Shape | None = None
    window: float = 2.0
    parallel: bool = False
    committed: bool = False
    undoing: bool = False
    outcome: Outcome = Outcome.IN_PROGRESS
    reason: str = ""
    note: str = ""
    started_at: float = 0.0
    finished_at: float | None = None
    deadline: float = 0.0
    first_number: int = 0
    requested_by: str = ""


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Requests as the data plane counted them; longest_wait in milliseconds."""

    started: int = 0
    finished: int = 0
    failed: int = 0
    app_errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    longest_wait: int = 0

    def plus(self, other: "Counters") -> "Counters":
        """Add two counts; the longest wait is the longer one."""
        return Counters(
            started=self.started + other.started,
            finished=self.finished + other.finished,
            failed=self.failed + other.failed,
            app_errors=self.app_errors + other.app_errors,
            bytes_in=self.bytes_in + other.bytes_in,
            bytes_out=self.bytes_out + other.bytes_out,
            longest_wait=max(self.longest_wait, other.longest_wait),
        )

    def since(self, earlier: "Counters") -> "Counters":
        """Tell the growth since an earlier count; its longest wait does not follow from the two and is 0."""
        return Counters(
            started=self.started - earlier.started,
            finished=self.finished - earlier.finished,
            failed=self.failed - earlier.failed,
            app_errors=self.app_errors - earlier.app_errors,
            bytes_in=self.bytes_in - earlier.bytes_in,
            bytes_out=self.bytes_out - earlier.bytes_out,
        )


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """How a deployment is faring, known only while control runs; times are monotonic seconds.

    awake: an on-demand deployment should have an instance now; crashes: unexpected ends in a row; next_start_at: no
    replacement before; active_at: the last request that was seen; reason: why the last instance failed.
    """

    awake: bool = False
    crashes: int = 0
    next_start_at: float = 0.0
    active_at: float = 0.0
    reason: str = ""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment id on a server: what it should be, and what is changing it.

    uid: its system user, None when rootless; next_number: the number of the next instance; stopped persists over
    restarts; rollout: the change that runs now; last: the last one that ended.
    """

    app: str
    uid: int | None = None
    shape: Shape | None = None
    stopped: bool = False
    next_number: int = 1
    rollout: Rollout | None = None
    last: Rollout | None = None
    vitals: Vitals = Vitals()
