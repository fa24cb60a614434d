"""Scripted servers on real sockets: each answers a deploy's messages well, but for those that a test replaces."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import msgspec

from tako_modules.base.clock import SystemClock
from tako_modules.build.artifact import Artifact
from tako_modules.deploy.main import Deploy
from tako_modules.deploy.progress import Silent
from tako_modules.deploy.story import Job
from tako_modules.deploy.target import Connection, Target
from tako_modules.mgmt.client import Client, connect_unix
from tako_modules.mgmt.connection import Call
from tako_modules.model.release import Recipe
from tako_modules.model.server import Server
from tako_modules.protocol import messages
from tako_modules.protocol.messages import Request
from tests.cli.scripted import ANSWERS
from tests.mgmt.doors import greet, serving

__all__ = ["Site", "deploy_to", "lost", "packed"]

Answer = Callable[[Request, Call], Awaitable[msgspec.Struct]]


@dataclass(slots=True)
class Site:
    """One server; heard: the messages it got; answers: what it says to some of them instead."""

    name: str
    answers: dict[type, Answer] = field(default_factory=dict)
    heard: list[Request] = field(default_factory=list)
    running: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def handle(self, request: Request, call: Call) -> msgspec.Struct:
        """Answer one message."""
        self.heard.append(request)
        if isinstance(request, messages.Hello):
            return await greet(request, call)
        if type(request) in self.answers:
            return await self.answers[type(request)](request, call)
        answer = ANSWERS[type(request)]
        assert isinstance(answer, msgspec.Struct)
        return answer

    def got(self, kind: type) -> list[Request]:
        """Give the messages of one kind."""
        return [request for request in self.heard if isinstance(request, kind)]


def lost(site: Site) -> Answer:
    """Make a server that goes away in the middle of a message."""

    async def go(request: Request, call: Call) -> msgspec.Struct:
        site.running.cancel()
        await anyio.sleep_forever()
        raise AssertionError

    return go


def packed(folder: Path, version: str, *, other_name: str = "") -> Artifact:
    """Make a small artifact."""
    path = folder / f"{version}.tar.gz"
    path.write_bytes(b"packed")
    recipe = Recipe(runtime="command", start=("run",))
    return Artifact(version=version, path=path, size=6, sha256="0" * 64, files=1, recipe=recipe, other_name=other_name)


@asynccontextmanager
async def deploy_to(
    folder: Path, sites: Sequence[Site], *, release: str = "", artifact: Artifact | None = None
) -> AsyncIterator[Deploy]:
    """Have the servers up, and a deploy to them that is ready to run."""

    async def up(site: Site, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        with site.running:
            async with serving(folder / site.name, site.handle):
                task_status.started()
                await anyio.sleep_forever()

    @asynccontextmanager
    async def reach(server: Server) -> AsyncIterator[Connection]:
        @asynccontextmanager
        async def another() -> AsyncIterator[Client]:
            async with await connect_unix(folder / server.name, server.name) as client:
                yield client

        async with another() as client:
            yield Connection(client=client, another=another)

    built = artifact or packed(folder, "v1")
    job = Job(app="shop", artifact=built, env={}, recipe=built.recipe, routes=("shop.example.com",))
    targets = [Target(Server(name=site.name, host="127.0.0.1")) for site in sites]
    async with anyio.create_task_group() as tasks:
        for site in sites:
            await tasks.start(up, site)
        yield Deploy(job, targets, release=release, reach=reach, progress=Silent(), clock=SystemClock())
        tasks.cancel_scope.cancel()
