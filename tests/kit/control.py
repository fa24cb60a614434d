"""The real control process inside a test: its store, inbox, steps, probes and management socket; init is played.

    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE, releases=("old", "new"))
        async with stage.control() as control: ...  # leaving is a `kill -9`: nothing is written any more
        async with stage.control() as control: ...  # the next one, on the same store, with the same children

Time stands still until `stage.pass_by`; instances and workers live from one control to the next.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import msgspec

from tako_modules.base.clock import SystemClock
from tako_modules.base.paths import ServerPaths
from tako_modules.model.deployment import Deployment, Rollout, Shape
from tako_modules.model.instance import Instance
from tako_modules.model.release import HealthCheck, Recipe, Release
from tako_modules.server import facts
from tako_modules.server.host import Host, Identity
from tako_modules.server.link import Link
from tako_modules.server.main import Program
from tako_modules.server.options import ServeOptions
from tako_modules.server.registry import Entry
from tako_modules.store import apps, instances, releases
from tako_modules.store.db import Store
from tako_modules.supervisor.spawn import Programs

from .clock import ManualClock
from .init import Boot, Init, PlayedInstance

__all__ = ["FIRST_PORT", "TIMEOUT", "Stage", "staged"]

TIMEOUT = 30.0  # seconds that an instance of these releases may take to become healthy
SHORT_PATIENCE = 5.0  # seconds of the real clock until something that must happen at once is missed
HURRY_SECONDS = 0.5
PROGRAMS = Programs(tako=("tako",), pip=("pip",), python="python3")
OFFSET = os.getpid() * 97 % 12000  # test processes side by side use other ports, all below those of clients
FIRST_PORT = 20000 + OFFSET


class Stage:
    """One server: its store and what init holds, while controls come and go."""

    def __init__(self, folder: Path, db: Store, init: Init) -> None:
        self.host = Host(ServerPaths(folder), rootless=True)
        self.db = db
        self.init = init
        self.clock = ManualClock()
        self._deployments: dict[str, Deployment] = {}
        self._program: Program | None = None
        self._heard = 0  # what init was asked before this control
        self.has_ended = False

    def deployment(
        self, app: str, shape: Shape | None, versions: tuple[str, ...] = ("old",), rollout: Rollout | None = None
    ) -> None:
        """Write down a deployment with its releases."""
        first = rollout.first_number if rollout else 1
        self._save(Deployment(app=app, shape=shape, rollout=rollout, next_number=first))
        recipe = Recipe(runtime="command", start=("/bin/true",), health=HealthCheck(timeout=TIMEOUT))
        for version in versions:
            made = Release(app=app, version=version, created_at=1.0, prepared=True, served=True, recipe=recipe)
            releases.save(self.db, made)
            self.host.paths.app(app).release(version).mkdir(parents=True)
        self.host.prepare_app(app, Identity(None, None))

    def living(self, one: Instance, boot: Boot = Boot.READY) -> PlayedInstance:
        """Write down an instance that lives since before, without its process' name unless `pid` says that it is known.

        boot: what it does besides.
        """
        made = self.init.instance(one.id, one.port, boot)
        known = one if one.pid is None else msgspec.structs.replace(one, pid=made.pid, birth=made.start)
        deployment = self._deployments[one.app]
        self._save(msgspec.structs.replace(deployment, next_number=max(deployment.next_number, one.number + 1)))
        instances.save(self.db, known)
        return made

    def _save(self, deployment: Deployment) -> None:
        self._deployments[deployment.app] = deployment
        apps.save(self.db, deployment)

    @asynccontextmanager
    async def control(self, burst: Callable[[], None] = lambda: None) -> AsyncIterator[Program]:
        """Run a control until the block ends, which kills it; burst: what init says besides before it is heard."""
        self._heard = len(self.init.asked)
        with closing(Store.open(self.db.path)) as db, self.init.connect() as channel:
            options = ServeOptions(
                data_dir=str(self.host.paths.root),
                socket=str(self.init.socket),
                rootless=True,
                instance_port_offset=OFFSET,
            )
            program = Program(
                options, PROGRAMS, self.host, db, version="1", build="1", link=Link(channel), clock=self.clock
            )
            burst()
            try:
                async with anyio.create_task_group() as tasks:
                    self._program = program
                    tasks.start_soon(self.init.listen)
                    tasks.start_soon(self._run, program)
                    yield program
                    tasks.cancel_scope.cancel()
            finally:
                self._program = None
                self.init.hang_up()
                _drop(program)

    async def _run(self, program: Program) -> None:
        self.has_ended = False
        await program.main()
        self.has_ended = True

    def entry(self, app: str = "shop") -> Entry:
        """Give what control knows of a deployment."""
        assert self._program is not None
        found = self._program.registry.get(app)
        assert found is not None
        return found

    async def adopted(self) -> None:
        """Wait until control has taken over what init holds and serves."""
        await self.until(lambda: any(request.op == "status" for request in self.init.asked[self._heard :]))

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for something that must happen soon and without time passing by."""
        with anyio.fail_after(SHORT_PATIENCE):
            while not true():
                await SystemClock().sleep(0.005)

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, and have control look at every deployment as it does when a moment has come."""
        self.clock.advance(seconds)
        assert self._program is not None
        for entry in list(self._program.registry):
            self._program.inbox.put(entry.app, facts.Tick())
        await anyio.lowlevel.checkpoint()

    async def hurry(self) -> None:
        """Let time pass quickly, until cancelled: for what asks again and again whether something has happened."""
        while True:
            await self.pass_by(HURRY_SECONDS)
            await SystemClock().sleep(0.002)


def _drop(program: Program) -> None:
    """Close what the kernel closes of a process that was killed."""
    for one in program.feeds:
        one.channel.close()
    if program.doorway.management is not None:
        program.doorway.management.close()


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Make a server that has no control yet."""
    Host(ServerPaths(folder), rootless=True).prepare_root()
    with closing(Store.open(ServerPaths(folder).database)) as db:
        async with anyio.create_task_group() as tasks:
            with closing(Init(folder, tasks)) as init:
                yield Stage(folder, db, init)
                tasks.cancel_scope.cancel()
