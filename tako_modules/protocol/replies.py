"""Every reply and event of the management socket; unknown fields are ignored, so that a newer server may add some."""

from typing import TypeVar

import msgspec

from tako_modules.model.deployment import Counters

from .errors import UNREADABLE, MessageError
from .messages import Owner

__all__ = ["Failure", "decode_data", "decode_reply", "encode_data", "encode_error", "encode_event"]

T = TypeVar("T")


class HelloData(msgspec.Struct, frozen=True, kw_only=True):
    """Who the server is; build: digest of its archive; pid: of control."""

    protocol_version: int
    server_version: str
    build: str = ""
    capabilities: tuple[str, ...] = ()
    pid: int = 0


class LeaseData(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that was granted: its fence and the seconds until it expires unless renewed."""

    fence: int
    expires_in: float


class LeaseHeld(msgspec.Struct, frozen=True, kw_only=True):
    """Details of an error `locked`: who holds it, since when (wall time), until when unless renewed."""

    owner: Owner
    since: float
    expires_in: float


class SendEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The server wants the artifact from this offset on."""

    event: str = "send"
    offset: int


class LineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line that a command printed, or one log line; instance: "" where it is no instance's; at: wall time."""

    event: str = "line"
    text: str
    instance: str = ""
    at: float = 0.0


class StepEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollout is doing now, in words; instance and version where it is about one."""

    event: str = "step"
    text: str
    instance: str = ""
    version: str = ""


class UploadData(msgspec.Struct, frozen=True, kw_only=True):
    """The release's folder; known: it was there already and nothing was sent; received: bytes of this connection."""

    path: str
    known: bool = False
    received: int = 0


class PrepareData(msgspec.Struct, frozen=True, kw_only=True):
    """The release is ready; known: nothing had to be done."""

    path: str
    known: bool = False


class ExitData(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended; negative: the signal."""

    exit_code: int


class InstanceData(msgspec.Struct, frozen=True, kw_only=True):
    """One instance as `status` shows it; in_flight: open requests; warning: e.g. that it listens on all addresses."""

    id: int
    state: str
    port: int
    pid: int | None = None
    uptime_secs: float = 0.0
    in_flight: int = 0
    version: str = ""
    warning: str = ""


class BuildData(msgspec.Struct, frozen=True, kw_only=True):
    """One version that has instances now; several stand side by side during a rollout."""

    version: str
    state: str
    instances: tuple[InstanceData, ...] = ()
    requests: Counters = Counters()


class FailureData(msgspec.Struct, frozen=True, kw_only=True):
    """Why an instance or a command failed: the rule, what was seen, and its last words."""

    rule: str
    detail: str = ""
    url: str = ""
    status: int = 0
    body: str = ""
    exit_code: int | None = None
    log: tuple[str, ...] = ()


class DeploymentData(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment of the past or present."""

    id: str
    kind: str
    version: str
    outcome: str
    started_at: str
    finished_at: str = ""
    reason: str = ""
    note: str = ""


class StatusData(msgspec.Struct, frozen=True, kw_only=True):
    """How one deployment is doing; instances_wanted 0 means on demand; requests: all versions together."""

    name: str
    version: str
    state: str
    routes: tuple[str, ...] = ()
    instances: tuple[InstanceData, ...] = ()
    builds: tuple[BuildData, ...] = ()
    instances_wanted: int = 1
    idle_timeout: int = 300
    last_error: str = ""
    requests: Counters = Counters()
    deployment: DeploymentData | None = None
    last_failure: DeploymentData | None = None


class AppLine(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment in `list`."""

    name: str
    version: str
    state: str
    instances: int


class ListData(msgspec.Struct, frozen=True, kw_only=True):
    """All deployments of a server."""

    apps: tuple[AppLine, ...]


class RouteLine(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment's routes."""

    app: str
    routes: tuple[str, ...]


class RoutesData(msgspec.Struct, frozen=True, kw_only=True):
    """All routes of a server."""

    routes: tuple[RouteLine, ...]


class ReleaseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One release that is kept; good: it has served; deployed_at_unix_secs: of its last deploy, else of its upload."""

    version: str
    current: bool
    good: bool
    deployed_at_unix_secs: int
    deployment: str = ""
    note: str = ""
    size: int = 0


class ReleasesData(msgspec.Struct, frozen=True, kw_only=True):
    """The releases of one deployment, newest first."""

    app: str
    releases: tuple[ReleaseLine, ...]


class InstanceReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """One new instance of a rollout: seconds from spawn to healthy and to its first traffic."""

    id: int
    port: int
    healthy_after: float
    admitted_after: float
    warning: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollout did: per instance, per phase in seconds, and the requests that ran through it."""

    instances: tuple[InstanceReceipt, ...] = ()
    phases: dict[str, float] = {}
    requests: Counters = Counters()
    replaced: int = 0


class DeployedData(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout that ended well: deploy, rollback, scale, restart, start; previous: the version a rollback would serve.

    "" where there is nothing to go back to.
    """

    status: str
    app: str
    version: str
    deployment: str = ""
    new_app: bool = False
    on_demand: bool = False
    startup_validated: bool = False
    new_instances: int = 0
    old_instances: int = 0
    rolled_back: bool = False
    previous: str = ""
    receipt: Receipt = Receipt()
    warnings: tuple[str, ...] = ()


class StoppedData(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment that was stopped."""

    status: str = "stopped"
    app: str


class DeletedData(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment that was taken away; trash: where its data is now, "" when it had none or it was purged."""

    status: str = "deleted"
    app: str
    existed: bool
    trash: str = ""
    trash_bytes: int = 0


class ServerInfoData(msgspec.Struct, frozen=True, kw_only=True):
    """How the server was started and what it uses; rootless: single-user mode."""

    mode: str
    socket: str
    data_dir: str
    http_port: int
    https_port: int
    no_acme: bool
    rootless: bool
    server_version: str
    build: str
    instance_port_offset: int = 0
    acme_staging: bool = False
    acme_email: str = ""
    renewal_interval_hours: int = 12
    workers: int = 1
    uptime_seconds: float = 0.0
    free_bytes: int = 0
    pids: dict[str, int] = {}


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an error reply; held and failure are details for some codes."""

    message: str
    code: str = "failed"
    hint: str = ""
    held: LeaseHeld | None = None
    failure: FailureData | None = None


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    status: str = ""
    event: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    message: str = ""
    code: str = "failed"
    hint: str = ""
    held: LeaseHeld | None = None
    failure: FailureData | None = None


_encoder = msgspec.json.Encoder()


def encode_data(data: msgspec.Struct) -> bytes:
    """Write the final line of a command that did what it was asked."""
    return _encoder.encode({"status": "ok", "data": data}) + b"\n"


def encode_error(failure: Failure) -> bytes:
    """Write the final line of a command that did not."""
    table = {key: value for key, value in msgspec.structs.asdict(failure).items() if value is not None}
    return _encoder.encode({"status": "error", **table}) + b"\n"


def encode_event(event: msgspec.Struct) -> bytes:
    """Write one line that comes before the final one."""
    return _encoder.encode(event) + b"\n"


def decode_reply(line: bytes) -> bytes | Failure | None:
    """Read one line of a server: the final line's data (JSON), its Failure, or None for an event.

    Raises MessageError when it is none of these.
    """
    try:
        read = msgspec.json.decode(line, type=_Line)
    except UNREADABLE as error:
        raise MessageError(f"the server's answer cannot be read: {error}") from error
    if read.event:
        return None
    if read.status == "ok":
        return bytes(read.data)
    if read.status != "error":
        raise MessageError("the server's answer is neither ok nor error")
    return Failure(message=read.message, code=read.code, hint=read.hint, held=read.held, failure=read.failure)


def decode_data(data: bytes, kind: type[T]) -> T:
    """Read an event's line or a reply's data as its struct; raises MessageError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except UNREADABLE as error:
        raise MessageError(f"the server's answer is not what was asked for: {error}") from error
