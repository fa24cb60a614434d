"""What a verb needs of the world, opened on demand: the project, the user's servers, connections to them."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio
import msgspec

from tako_modules.base import ids, paths
from tako_modules.base.clock import SystemClock
from tako_modules.base.errors import Cancelled, ConfigError, TakoError, UsageError
from tako_modules.config import check, problems
from tako_modules.deploy import lease, reach
from tako_modules.deploy.target import Connection, Target
from tako_modules.mgmt.refusal import sole_error
from tako_modules.model.server import LOCAL, Server
from tako_modules.protocol.replies import FailureData
from tako_modules.workspace import inventory
from tako_modules.workspace.project import Workspace, open_project

from .console import Console
from .options import Options

__all__ = ["Session", "confirm", "interactive", "run"]

PRODUCTION = "production"
T = TypeVar("T")


def interactive() -> bool:
    """Tell whether a person can be asked: both ends are a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirm(options: Options, question: str) -> None:
    """Ask unless `--yes`; raises UsageError where nobody can be asked, Cancelled for a no."""
    if options.yes:
        return
    if not interactive():
        raise UsageError(f"{question} Nobody can be asked here.", hint="add --yes to agree")
    import click

    if not click.confirm(question, default=False, err=True):
        raise Cancelled("cancelled: nothing was changed", hint="run the same command again to be asked anew")


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run an async verb; an error that a task group wrapped comes out as itself."""
    try:
        return anyio.run(main)
    except BaseExceptionGroup as group:
        raise sole_error(group) from None


class Session:
    """One verb's view: opened lazily, so that a verb without a project never looks for one."""

    def __init__(self, options: Options, console: Console) -> None:
        self.options = options
        self.console = console
        self.clock = SystemClock()

    @property
    def env(self) -> str:
        """The environment that the verb is about."""
        return self.options.env or PRODUCTION

    def workspace(self) -> Workspace:
        """Open the project around the working directory, or that of `--config`."""
        return open_project(Path.cwd(), self.options.config, env=self.env)

    def inventory(self) -> tuple[Server, ...]:
        """Read the user's servers, the built-in one last."""
        return (*inventory.read_servers(paths.home()), Server(name=LOCAL, host="127.0.0.1"))

    def targets(
        self, workspace: Workspace, only: tuple[str, ...] = (), also: Sequence[problems.Problem] = ()
    ) -> list[Target]:
        """List the servers that run the environment; raises ConfigError with all that is wrong, `also` known too."""
        servers = self.inventory()
        found = [*also, *check.check_for_deploy(workspace.project, self.env, servers, only)]
        problems.raise_all(workspace.file.name, check.located(found, workspace.text))
        chosen = check.targets(workspace.project, self.env, servers, only)
        return [
            Target(server=one.server, instances=one.placement.instances, idle_timeout=one.placement.idle_timeout)
            for one in chosen
        ]

    def deployed(self) -> tuple[str, list[Target]]:
        """Give the deployment id of the project and its servers; raises ConfigError when there are none."""
        workspace = self.workspace()
        found = self.targets(workspace)
        if not found:
            raise ConfigError(
                f"{workspace.file.name} maps no server to {self.env}",
                hint=f'add [servers.<name>] with env = "{self.env}", or deploy with `tako deploy`',
            )
        return ids.deployment_id(workspace.project.name, self.env), found

    @asynccontextmanager
    async def reach(self, server: Server) -> AsyncIterator[Connection]:
        """Connect to a server."""
        if server.name == LOCAL:
            async with reach.reach_local(server, self.clock, self.console.say) as connection:
                yield connection
            return
        from tako_modules.deploy import remote

        from . import access

        how = access.person_access(asks=interactive(), still=self.console.still)
        with self.console.opening(f"connecting to {server.name}") as step:
            async with remote.reach_remote(server, how) as connection:
                step.end()
                yield connection

    async def each(
        self, targets: list[Target], act: Callable[[Target, Connection], Awaitable[T]]
    ) -> dict[str, T | TakoError]:
        """Do something on every server, side by side; an error is its server's result."""
        results: dict[str, T | TakoError] = {}

        async def one(target: Target) -> None:
            try:
                async with self.reach(target.server) as connection:
                    results[target.name] = await act(target, connection)
            except TakoError as error:
                results[target.name] = error
            except BaseExceptionGroup as group:
                sole = sole_error(group)
                if not isinstance(sole, TakoError):
                    raise
                results[target.name] = sole

        async with anyio.create_task_group() as tasks:
            for target in targets:
                tasks.start_soon(one, target)
        return {target.name: results[target.name] for target in targets}

    async def locked(
        self, app: str, targets: list[Target], act: Callable[[Target, Connection, int], Awaitable[T]]
    ) -> dict[str, T | TakoError]:
        """Do something on every server under the lease of a deployment."""

        async def one(target: Target, connection: Connection) -> T:
            async with lease.hold(connection, app, self.clock) as fence:
                return await act(target, connection, fence)
            raise AssertionError("a lease does not swallow its body's errors")

        return await self.each(targets, one)


def document(server: str, value: msgspec.Struct | TakoError) -> dict[str, object]:
    """Make the part of a JSON document that tells how it went on one server: `result` or `error`, the other null."""
    if not isinstance(value, TakoError):
        return {"server": server, "result": msgspec.to_builtins(value), "error": None}
    failure = getattr(value, "failure", None)
    problem = {
        "code": value.code,
        "message": value.message,
        "hint": value.hint,
        "failure": msgspec.to_builtins(failure) if isinstance(failure, FailureData) else None,
    }
    return {"server": server, "result": None, "error": problem}
