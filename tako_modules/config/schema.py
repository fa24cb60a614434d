"""All of tako.toml; the docstrings are the text of docs/reference/config.md, one `key: text` paragraph per key.

A struct says which keys a table may have and what they hold; LATER names the keys that are reserved: they are checked
like the others, and then refused with the version that brings them.
"""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

__all__ = [
    "LATER_RUNTIMES",
    "RESERVED_SERVER_NAMES",
    "RUNTIMES",
    "Env",
    "Health",
    "Range",
    "Schedule",
    "ServerDefaults",
    "ServerTable",
    "ServiceTable",
    "Tako",
]

RUNTIMES = ("command", "python", "static")
LATER_RUNTIMES = {
    # runtime → the version of tako that brings it
    "bun": "0.2",
    "deno": "0.2",
    "go": "0.2",
    "node": "0.2",
    "compose": "0.4",
    "docker": "0.4",
    "swarm": "0.4",
}
RESERVED_SERVER_NAMES = ("env", "instances", "idle_timeout")

Text = Annotated[str, Meta(min_length=1)]
Argv = Annotated[tuple[Text, ...], Meta(min_length=1)]
Globs = tuple[Text, ...]
Routes = Annotated[tuple[str, ...], Meta(min_length=1)]
Instances = Annotated[int, Meta(ge=0, le=100)]  # more on one machine is a typing error: a core serves a handful
IdleSeconds = Annotated[int, Meta(ge=1, le=604_800)]  # a week: what never sleeps has instances = 1
HealthSeconds = Annotated[int, Meta(ge=1, le=600)]  # an app that boots for longer than ten minutes hangs
Port = Annotated[int, Meta(ge=1, le=65_535)]
RunSeconds = Annotated[int, Meta(ge=1, le=86_400)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    LATER: ClassVar[dict[str, str]] = {}
    ELSEWHERE: ClassVar[dict[str, str]] = {}  # key of another table → where it belongs


class Range(_Table, frozen=True, kw_only=True):
    """How many instances autoscaling may keep.

    min: The fewest; 0 lets the app sleep.

    max: The most.
    """

    min: Instances = 0
    max: Instances = 1


class Health(_Table, frozen=True, kw_only=True):
    """How an instance proves that it is well; without `path` any answer below 500 to `GET /` will do.

    path: What to ask for; an answer from 200 to 399 passes, redirects are not followed.

    timeout: Seconds from its start until a new instance must be healthy; later than that the deploy fails.
    """

    path: str = ""
    timeout: HealthSeconds = 30


class Env(_Table, frozen=True, kw_only=True):
    """One environment, such as `production`; `development` is for `tako dev` alone and may go without routes.

    route: The one pattern of requests that the app answers here: `shop.example.com`, `*.example.com`,
    `example.com/api/*` (that path and all below it) or `example.com/api*` (every path that begins so).

    routes: A list of such patterns; write either `route` or `routes`.
    """

    route: str | None = None
    routes: Routes | None = None


class ServerDefaults(_Table, frozen=True, kw_only=True):
    """Defaults for all servers; each may have its own in `[servers.<name>]`.

    instances: Processes of the app on a server; 0 starts one with the first request and stops it when it is idle.

    idle_timeout: Seconds without a request after which an app with `instances = 0` goes to sleep.
    """

    instances: Instances | Range = 1
    idle_timeout: IdleSeconds = 300


class ServerTable(_Table, frozen=True, kw_only=True):
    """One server of the inventory that runs this app; `env`, `instances` and `idle_timeout` cannot be its name.

    env: The environment, or a list of them, that the server runs; required.

    instances: As in `[servers]`, for this server.

    idle_timeout: As in `[servers]`, for this server.

    host: Where the server is, used where the inventory has no server of this name.

    port: The port of SSH on that host.

    services: Instances per further service on this server.
    """

    LATER: ClassVar[dict[str, str]] = {"services": "0.2"}

    env: Text | Annotated[tuple[Text, ...], Meta(min_length=1)]
    instances: Instances | Range | None = None
    idle_timeout: IdleSeconds | None = None
    host: Text | None = None
    port: Port = 22
    services: dict[str, Instances] | None = None


class ServiceTable(_Table, frozen=True, kw_only=True):
    """A further kind of process of the app, such as a worker; the top level of the file describes the service `web`.

    start: As at the top level; required.

    instances: How many on each server.

    route: As in `[envs.<name>]`; without routes the service gets no requests.

    routes: As in `[envs.<name>]`.

    health: As at the top level.
    """

    start: Argv
    instances: Instances = 1
    route: str | None = None
    routes: Routes | None = None
    health: Health | None = None


class Schedule(_Table, frozen=True, kw_only=True):
    """A command that runs at set times.

    cron: Five fields: minute, hour, day of month, month, day of week; required.

    run: The shell command; required.

    timezone: The zone whose clock the fields mean.

    timeout: Seconds after which it is ended.
    """

    cron: Text
    run: Text
    timezone: Text = "UTC"
    timeout: RunSeconds = 3600


class Tako(_Table, frozen=True, kw_only=True):
    """The top level of tako.toml: what the app is and how it is built and started.

    name: The app's stable identity; without it the name in package.json, pyproject.toml or go.mod, else the folder's.

    runtime: How the app is built and started: `command`, `python` or `static`; without it tako looks at the files.

    main: The entry: a file, for `static` the folder that is served.

    build: A shell command that runs before packing; "" switches the runtime's own off.

    start: The argv of one instance; `{port}` and `{main}` are replaced.

    dev: The argv that `tako dev` starts instead.

    release: A shell command, run once per deploy on the first server before any traffic moves; it has 10 minutes.

    include: Globs of files to ship although git ignores them.

    exclude: Globs of files not to ship.

    vars: Environment variables: text, numbers, true or false; a table in it, `[vars.<env>]`, is one environment's.

    health: See `[health]`.

    envs: See `[envs.<name>]`.

    servers: See `[servers]`.

    strategy: How instances are replaced.

    edge: What the proxy does for the app.

    limits: What an instance may use.

    services: See `[services.<name>]`.

    schedule: See `[schedule.<name>]`.

    log: What is kept of the app's output.
    """

    LATER: ClassVar[dict[str, str]] = {
        "strategy": "0.3",
        "edge": "0.3",
        "limits": "0.3",
        "services": "0.2",
        "schedule": "0.3",
        "log": "0.3",
    }
    ELSEWHERE: ClassVar[dict[str, str]] = {
        "instances": "write it under [servers]",
        "idle_timeout": "write it under [servers]",
        "route": "write it under [envs.production]",
        "routes": "write it under [envs.production]",
        "tako": "write its keys at the top level",
        "app": "write its keys at the top level",
    }

    name: Text | None = None
    runtime: Text = ""
    main: Text = ""
    build: str | None = None
    start: Argv | None = None
    dev: Argv | None = None
    release: str = ""
    include: Globs = ()
    exclude: Globs = ()
    vars: dict[str, object] = {}
    health: Health = Health()
    envs: dict[str, Env] = {}
    servers: dict[str, object] = {}
    strategy: str | None = None
    edge: dict[str, object] | None = None
    limits: dict[str, object] | None = None
    services: dict[str, ServiceTable] | None = None
    schedule: dict[str, Schedule] | None = None
    log: dict[str, object] | None = None
