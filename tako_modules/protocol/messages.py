"""Every request of the management socket, one frozen struct each; replies are in `replies`.

A request is one JSON line, `{"command": "hello", "protocol_version": 3}`; `app` is a deployment id. A mutating message
carries `fence`, the number of the lease that allows it. Unknown fields are refused: a typo must not be ignored.
"""

from typing import ClassVar

import msgspec

from tako_modules.model.release import Recipe

from .errors import UNREADABLE, MessageError
from .version import LATER

__all__ = ["REQUESTS", "Owner", "Request", "decode_request", "encode_request"]


class Owner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who holds a lease: user and host of the machine that deploys, and the process there."""

    user: str
    host: str
    pid: int


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="command"):
    mutates: ClassVar[bool] = False


class Hello(_Message, frozen=True, kw_only=True, tag="hello"):
    """Say which protocol the client speaks; the server answers with its own, its build and its capabilities."""

    protocol_version: int


class Lease(_Message, frozen=True, kw_only=True, tag="lease"):
    """Take, renew or give the lease of a deployment id; `fence` names it when renewing or giving."""

    app: str
    action: str
    owner: Owner
    fence: int | None = None


class Upload(_Message, frozen=True, kw_only=True, tag="upload"):
    """Send an artifact (tar.gz): answered by `{"event":"send","offset":N}`, then come frames, then the path."""

    mutates = True
    app: str
    fence: int
    version: str
    size: int
    sha256: str


class Prepare(_Message, frozen=True, kw_only=True, tag="prepare"):
    """Make an uploaded release ready: links, `.env`, dependencies; its variables and recipe are kept with it."""

    mutates = True
    app: str
    fence: int
    version: str
    env: dict[str, str]
    recipe: Recipe


class RunRelease(_Message, frozen=True, kw_only=True, tag="release"):
    """Run the project's `release` command once, in the prepared release, as the app's user."""

    mutates = True
    app: str
    fence: int
    version: str
    run: str
    timeout: float = 600.0


class Deploy(_Message, frozen=True, kw_only=True, tag="deploy"):
    """Roll a prepared release out; blocks until it serves or everything is as before."""

    mutates = True
    app: str
    fence: int
    version: str
    path: str
    routes: tuple[str, ...]
    instances: int = 1
    idle_timeout: int = 300
    note: str = ""


class Rollback(_Message, frozen=True, kw_only=True, tag="rollback"):
    """Go back to an earlier deployment, by version or deployment id; "" means the last good one that is not running."""

    mutates = True
    app: str
    fence: int
    version: str = ""


class Scale(_Message, frozen=True, kw_only=True, tag="scale"):
    """Change how many instances a deployment keeps; 0 means on demand."""

    mutates = True
    app: str
    fence: int
    instances: int


class Restart(_Message, frozen=True, kw_only=True, tag="restart"):
    """Replace all instances of the serving release, without losing a request."""

    mutates = True
    app: str
    fence: int


class Reload(_Message, frozen=True, kw_only=True, tag="reload"):
    """The seed's name of restart."""

    mutates = True
    app: str
    fence: int


class Stop(_Message, frozen=True, kw_only=True, tag="stop"):
    """End all instances; it stays stopped over restarts of the server, until start or deploy."""

    mutates = True
    app: str
    fence: int


class Start(_Message, frozen=True, kw_only=True, tag="start"):
    """Start a stopped deployment again."""

    mutates = True
    app: str
    fence: int


class Delete(_Message, frozen=True, kw_only=True, tag="delete"):
    """Take a deployment away: instances, releases, routes; its data moves to the trash unless purge."""

    mutates = True
    app: str
    fence: int
    purge: bool = False


class Cancel(_Message, frozen=True, kw_only=True, tag="cancel"):
    """Stop the rollout that runs now and restore what was before; refused once its last instance is admitted."""

    mutates = True
    app: str
    fence: int


class Status(_Message, frozen=True, kw_only=True, tag="status"):
    """Ask how one deployment is doing."""

    app: str


class List(_Message, frozen=True, kw_only=True, tag="list"):
    """Ask for all deployments, a line each."""


class Routes(_Message, frozen=True, kw_only=True, tag="routes"):
    """Ask which routes are taken, by whom."""


class ListReleases(_Message, frozen=True, kw_only=True, tag="list_releases"):
    """Ask for the releases that are kept, newest first."""

    app: str


class Logs(_Message, frozen=True, kw_only=True, tag="logs"):
    """Read what instances printed: the last `lines`, those after `since` (wall time), and new ones while `follow`."""

    app: str
    lines: int = 100
    since: float | None = None
    follow: bool = False


class ServerInfo(_Message, frozen=True, kw_only=True, tag="server_info"):
    """Ask how the server was started and what it uses."""


Request = (
    Hello
    | Lease
    | Upload
    | Prepare
    | RunRelease
    | Deploy
    | Rollback
    | Scale
    | Restart
    | Reload
    | Stop
    | Start
    | Delete
    | Cancel
    | Status
    | List
    | Routes
    | ListReleases
    | Logs
    | ServerInfo
)

REQUESTS: dict[str, type[_Message]] = {
    "hello": Hello,
    "lease": Lease,
    "upload": Upload,
    "prepare": Prepare,
    "release": RunRelease,
    "deploy": Deploy,
    "rollback": Rollback,
    "scale": Scale,
    "restart": Restart,
    "reload": Reload,
    "stop": Stop,
    "start": Start,
    "delete": Delete,
    "cancel": Cancel,
    "status": Status,
    "list": List,
    "routes": Routes,
    "list_releases": ListReleases,
    "logs": Logs,
    "server_info": ServerInfo,
}

_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_encoder = msgspec.json.Encoder()


def encode_request(request: Request) -> bytes:
    """Write a request as one line with its newline."""
    return _encoder.encode(request) + b"\n"


def decode_request(line: bytes) -> Request:
    """Read one line; raises MessageError, which says what is unknown and what would be right."""
    try:
        return _requests.decode(line)
    except msgspec.ValidationError as error:
        raise _explain(line, error) from error
    except UNREADABLE as error:
        raise MessageError(f"the line is not JSON: {error}") from error


def _explain(line: bytes, error: msgspec.ValidationError) -> MessageError:
    try:
        table = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        command = msgspec.json.decode(table.get("command", b"null"), type=str | None)
    except UNREADABLE:
        return MessageError(f"a request is an object with a command: {error}")
    if command is None:
        return MessageError("the request has no command", hint='send {"command":"hello","protocol_version":3}')
    if command in LATER:
        return MessageError(
            f"{command} comes with version {LATER[command]} of tako",
            code="comes_later",
            hint="run `tako servers upgrade` once that version is out",
        )
    if command not in REQUESTS:
        return MessageError(
            f"this server does not know the command {command!r}",
            code="unknown_command",
            hint="the client is newer: use the tako that set this server up",
        )
    return MessageError(f"{command}: {error}")
