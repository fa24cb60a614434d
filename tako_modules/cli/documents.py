"""The JSON documents that verbs print with `--json`, one struct per `schema`; docs/reference/json is made of them.

Fields may be added to a document; one that goes, or changes its meaning, makes a new schema number. What a server
answered is in `result` as it came over the management socket.
"""

from typing import Literal

import msgspec

from tako_modules.model.server import Server
from tako_modules.protocol.replies import (
    DeletedData,
    DeployedData,
    FailureData,
    ListData,
    ReleasesData,
    ServerInfoData,
    StatusData,
    StoppedData,
)

__all__ = ["DOCUMENTS"]


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Problem(_Document, frozen=True, kw_only=True):
    """Why something failed: a word for programs, what happened, and the next thing to do."""

    code: str
    message: str
    hint: str


class FailedProblem(Problem, frozen=True, kw_only=True):
    """A problem on one server; failure: what a probe saw, or how a command ended, where that was the reason."""

    failure: FailureData | None = None


class ErrorDocument(_Document, frozen=True, kw_only=True):
    """A verb failed before it had a document of its own."""

    schema: Literal["tako.error/1"]
    error: Problem


class EventDocument(_Document, frozen=True, kw_only=True):
    """Something that happened while a verb runs with `--events`: a line of its own before the verb's document.

    event: `begin`, `update` or `end` of a step, or a `line` that was said; step: numbers the steps of a run, which may
    overlap; done, total: bytes or parts; ok, seconds: how a step ended, and how long it took; at: UTC.
    """

    schema: Literal["tako.event/1"]
    event: Literal["begin", "update", "end", "line"]
    at: str
    text: str
    step: int | None = None
    done: int | None = None
    total: int | None = None
    ok: bool | None = None
    seconds: float | None = None


class InitDocument(_Document, frozen=True, kw_only=True):
    """`tako init` wrote a file; runtime: `command` where the files do not tell."""

    schema: Literal["tako.init/1"]
    file: str
    app: str
    runtime: str
    route: str


class PlanDocument(_Document, frozen=True, kw_only=True):
    """The steps that `tako deploy --plan` would take, in words and in order."""

    schema: Literal["tako.plan/1"]
    app: str
    env: str
    steps: tuple[str, ...]


class DeployServer(_Document, frozen=True, kw_only=True):
    """How a deploy ended on one server: `deployed` or `error`; phases in seconds."""

    server: str
    phases: dict[str, float]
    bytes_sent: int
    bytes_saved: int
    deployed: DeployedData | None = None
    error: FailedProblem | None = None


class DeployDocument(_Document, frozen=True, kw_only=True):
    """What `tako deploy` did; app: the deployment id; outcome: `success` or the code of the error."""

    schema: Literal["tako.deploy/1"]
    app: str
    env: str
    version: str
    outcome: str
    routes: tuple[str, ...]
    servers: tuple[DeployServer, ...]


class StatusServer(_Document, frozen=True, kw_only=True):
    """One server's answer, or why there is none."""

    server: str
    result: StatusData | None = None
    error: FailedProblem | None = None


class StatusDocument(_Document, frozen=True, kw_only=True):
    """How an app is doing on its servers."""

    schema: Literal["tako.status/1"]
    app: str
    servers: tuple[StatusServer, ...]


class ReleasesServer(_Document, frozen=True, kw_only=True):
    """One server's answer, or why there is none."""

    server: str
    result: ReleasesData | None = None
    error: FailedProblem | None = None


class ReleasesDocument(_Document, frozen=True, kw_only=True):
    """The releases that the servers keep."""

    schema: Literal["tako.releases/1"]
    app: str
    servers: tuple[ReleasesServer, ...]


class ChangedServer(_Document, frozen=True, kw_only=True):
    """One server's answer, or why there is none."""

    server: str
    result: DeployedData | None = None
    error: FailedProblem | None = None


class ChangeDocument(_Document, frozen=True, kw_only=True):
    """Instances were replaced: by a rollback, by scaling, by a restart or by a start."""

    schema: Literal["tako.rollback/1", "tako.scale/1", "tako.restart/1", "tako.start/1"]
    app: str
    servers: tuple[ChangedServer, ...]


class StoppedServer(_Document, frozen=True, kw_only=True):
    """One server's answer, or why there is none."""

    server: str
    result: StoppedData | None = None
    error: FailedProblem | None = None


class StopDocument(_Document, frozen=True, kw_only=True):
    """An app was stopped."""

    schema: Literal["tako.stop/1"]
    app: str
    servers: tuple[StoppedServer, ...]


class DeletedServer(_Document, frozen=True, kw_only=True):
    """One server's answer, or why there is none."""

    server: str
    result: DeletedData | None = None
    error: FailedProblem | None = None


class DeleteDocument(_Document, frozen=True, kw_only=True):
    """An app was taken away."""

    schema: Literal["tako.delete/1"]
    app: str
    servers: tuple[DeletedServer, ...]


class LogLine(_Document, frozen=True, kw_only=True):
    """One line; at: seconds since 1970; instance: "" for a line of one of the app's own files."""

    at: float
    instance: str
    text: str


class LogsServer(_Document, frozen=True, kw_only=True):
    """One server's lines, oldest first; error: why there are no more, or none."""

    server: str
    lines: tuple[LogLine, ...]
    error: FailedProblem | None = None


class LogsDocument(_Document, frozen=True, kw_only=True):
    """What an app printed; `--follow` prints text alone, and takes no `--json`."""

    schema: Literal["tako.logs/1"]
    app: str
    servers: tuple[LogsServer, ...]


class ServersAddDocument(_Document, frozen=True, kw_only=True):
    """A machine became a server, or would; changes: how many steps; applied: false with `--dry-run`."""

    schema: Literal["tako.servers.add/1"]
    server: Server
    changes: int
    applied: bool
    steps: tuple[str, ...]
    notes: tuple[str, ...]
    build: str


class ServersLsDocument(_Document, frozen=True, kw_only=True):
    """The inventory, and the built-in server."""

    schema: Literal["tako.servers.ls/1"]
    servers: tuple[Server, ...]


class ServersRestartDocument(_Document, frozen=True, kw_only=True):
    """A server was restarted, and this runs on it now."""

    schema: Literal["tako.servers.restart/1"]
    name: str
    version: str
    build: str


class ServersRmDocument(_Document, frozen=True, kw_only=True):
    """A server was taken out of the inventory."""

    schema: Literal["tako.servers.rm/1"]
    name: str


class ServerState(_Document, frozen=True, kw_only=True):
    """What a server says of itself, and what is deployed on it."""

    info: ServerInfoData
    apps: ListData


class ServerStateOf(_Document, frozen=True, kw_only=True):
    """One server's answer, or why there is none."""

    server: str
    result: ServerState | None = None
    error: FailedProblem | None = None


class ServersStatusDocument(_Document, frozen=True, kw_only=True):
    """How servers are doing."""

    schema: Literal["tako.servers.status/1"]
    servers: tuple[ServerStateOf, ...]


class ServersUninstallDocument(_Document, frozen=True, kw_only=True):
    """A machine is a server no longer, or would be; applied: false with `--dry-run`."""

    schema: Literal["tako.servers.uninstall/1"]
    name: str
    applied: bool
    steps: tuple[str, ...]
    notes: tuple[str, ...]


DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "delete": DeleteDocument,
    "deploy": DeployDocument,
    "error": ErrorDocument,
    "event": EventDocument,
    "init": InitDocument,
    "logs": LogsDocument,
    "plan": PlanDocument,
    "releases": ReleasesDocument,
    "restart": ChangeDocument,
    "rollback": ChangeDocument,
    "scale": ChangeDocument,
    "servers.add": ServersAddDocument,
    "servers.ls": ServersLsDocument,
    "servers.restart": ServersRestartDocument,
    "servers.rm": ServersRmDocument,
    "servers.status": ServersStatusDocument,
    "servers.uninstall": ServersUninstallDocument,
    "start": ChangeDocument,
    "status": StatusDocument,
    "stop": StopDocument,
}
