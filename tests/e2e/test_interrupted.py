"""A deploy that is interrupted at any point leaves one version serving, nothing behind, and the way free for the next.

The interruptions: Ctrl-C, the death of the client, and a connection that goes silent. While each happens requests are
made, and none of them fails.
"""

import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import msgspec
import pytest
from anyio.abc import Process

from tako_modules.base.clock import SystemClock
from tests.kit import reliability
from tests.kit.commands import Deployed, Ran
from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.line import Line
from tests.kit.load import Load, Options
from tests.kit.projects import project
from tests.kit.spoken import assert_spoken

BLOB = 6 << 20  # bytes that do not compress: the upload
RATE = 3 << 20  # bytes a second of the line: the upload takes two seconds
REACHED_SECONDS = 60.0
LOAD_RATE = 60.0  # requests a second in each cell, over all loops of the usual load
FREE_SECONDS = 35  # a lease that nobody renews runs out after 30
CLIENT_SECONDS = 60.0  # until a client notices that its connection is gone
SETTLED_SECONDS = 15.0  # until the last old instance has finished its requests and is gone
CANCELLED, UNREACHABLE = 5, 4
LOOK = 0.1
HANGING_INDEX = """
import socket
listener = socket.create_server(("127.0.0.1", 8099))
held = []
while True:
    held.append(listener.accept())
"""
in_thread = anyio.to_thread.run_sync
PYTHON = 'runtime = "python"\nstart = ["python3", "app.py"]'


@dataclass(frozen=True)
class Running:
    """A deploy under way: what it has printed, where it runs, what it deploys."""

    machine: Container
    line: Line
    name: str
    folder: Path
    process: Process
    said: bytearray
    passed: int


@dataclass(frozen=True)
class Stage:
    """A point of a deploy: how a project is written that stays there for a while, and how to see that it is there."""

    reached: Callable[[Running], bool]
    top: str = ""
    lines: tuple[str, ...] = ()
    requirements: str = ""
    blob: int = 0


def on_server(running: Running, script: str) -> bool:
    return running.machine.exec(["sh", "-c", script], check=False).code == 0


STAGES = {
    "build": Stage(lambda one: (one.folder / "at-build").exists(), top='build = "touch at-build; sleep {nap}"'),
    "lease": Stage(lambda one: b"taking the lease" in one.said, blob=BLOB),  # the upload behind it gives time to see it
    "upload": Stage(lambda one: one.line.passed - one.passed > BLOB // 2, blob=BLOB),
    "install": Stage(
        lambda one: on_server(one, f"pgrep -f '[-]-require-hashes.*' && ls /opt/tako/apps/{one.name}/releases/*/.venv"),
        requirements=f"--index-url http://127.0.0.1:8099/simple\nsix==1.16.0 --hash=sha256:{'0' * 64}\n",
    ),
    "release": Stage(
        lambda one: on_server(one, f"test -e /opt/tako/apps/{one.name}/shared/data/at-release"),
        top="release = 'touch $TAKO_DATA_DIR/at-release; sleep {nap}'",
    ),
    "swap": Stage(lambda one: b"gets traffic" in one.said, lines=('BOOT_SECONDS = "3"',)),
}
SIDE_BY_SIDE = 3  # cells of one test: they wait more than they work
QUICK = ("upload", "swap")
CELLS = [
    pytest.param("ctrl-c", tuple(STAGES), id="ctrl-c"),
    pytest.param("kill", QUICK, id="kill"),
    pytest.param("cut", QUICK, id="cut"),
    pytest.param("kill", ("build", "lease", "install", "release"), id="kill-elsewhere", marks=pytest.mark.slow),
    pytest.param("cut", ("lease", "install", "release"), id="cut-elsewhere", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def machine(machine: Container) -> Container:
    """One server for the tests of this module; each has an app, a home and a line of its own."""
    machine.engine.docker("exec", "--detach", machine.name, "python3", "-c", HANGING_INDEX)
    return machine


@asynccontextmanager
async def deploying(desk: Desk, machine: Container, line: Line, name: str, folder: Path) -> AsyncIterator[Running]:
    """Run a deploy beside the block, in a group of its own as under a terminal."""
    process = await anyio.open_process(
        desk.argv("deploy", "--yes"),
        cwd=folder,
        env=desk.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    running = Running(machine, line, name, folder, process, bytearray(), line.passed)

    async def hear() -> None:
        assert process.stderr is not None
        async for piece in process.stderr:
            running.said.extend(piece)

    async with process, anyio.create_task_group() as tasks:
        tasks.start_soon(hear)
        yield running
        if process.returncode is None:
            process.kill()


async def until(met: Callable[[], bool], seconds: float, words: Callable[[], str]) -> None:
    """Look from beside the loop until something holds."""
    clock = SystemClock()
    end = clock.monotonic() + seconds
    while not await anyio.to_thread.run_sync(met):
        assert clock.monotonic() < end, words()
        await clock.sleep(LOOK)


def interrupt(way: str, running: Running) -> None:
    if way == "ctrl-c":
        os.killpg(running.process.pid, signal.SIGINT)
    elif way == "kill":
        running.process.kill()
    else:
        running.line.cut()


def write(name: str, folder: Path, stage: Stage, nap: str) -> None:
    """Write the project whose deploy stays at the stage."""
    start = PYTHON if stage.requirements else ""
    project(name, folder, *stage.lines, top=stage.top.format(nap=nap), start=start, tail="instances = 2")
    if stage.requirements:
        text = (folder / "tako.toml").read_text().replace('runtime = "command"\n', "")
        (folder / "tako.toml").write_text(text)
        (folder / "requirements.txt").write_text(stage.requirements)
    if stage.blob:
        (folder / "blob").write_bytes(secrets.token_bytes(stage.blob))


def clean(folder: Path) -> None:
    """Take away what the stage put beside the app."""
    for name in ("requirements.txt", "blob", "at-build"):
        (folder / name).unlink(missing_ok=True)


def left_on_server(machine: Container, name: str) -> tuple[list[str], list[str]]:
    """Name the releases of an app, and what its user runs."""
    listed = machine.exec(["ls", "-A", f"/opt/tako/apps/{name}/releases"]).out.split()
    user = machine.exec(["stat", "-c", "%U", f"/opt/tako/apps/{name}/shared/data"]).out.strip()
    processes = machine.exec(["ps", "-ww", "-u", user, "-o", "args="], check=False).out.splitlines()
    return listed, [line for line in processes if "__ports__" not in line]


def naps(nap: str) -> list[str]:
    """Find processes on this machine, servers in containers included, that still wait for a stage's end."""
    return subprocess.run(["pgrep", "-f", f"sleep {re.escape(nap)}"], capture_output=True, text=True).stdout.split()


@dataclass(frozen=True)
class Cell:
    """One interruption of one app's deploy, with all that it needs."""

    at: str
    way: str
    desk: Desk
    machine: Container
    line: Line
    folder: Path
    nap: str

    @property
    def name(self) -> str:
        """The app."""
        return self.folder.name

    @property
    def stage(self) -> Stage:
        """Where the deploy is interrupted."""
        return STAGES[self.at]

    async def interrupted(self, old: str) -> tuple[Deployed, float]:
        """Interrupt a deploy, let the next one do its work; gives it and the seconds until it had the lease."""
        write(self.name, self.folder, self.stage, self.nap)
        self.line.rate = RATE
        async with deploying(self.desk, self.machine, self.line, self.name, self.folder) as running:
            await until(lambda: self.stage.reached(running), REACHED_SECONDS, running.said.decode)
            interrupt(self.way, running)
            self.line.rate = 0.0
            began = time.monotonic()
            if self.way == "ctrl-c":
                code = await running.process.wait()
                assert_spoken(Ran(code, "", running.said.decode()), CANCELLED)
                assert (await in_thread(self.desk.status, self.folder))["la"].version == old
            clean(self.folder)
            project(self.name, self.folder, 'NEXT = "1"', tail="instances = 2")
            wait = () if self.way == "ctrl-c" else ("--wait", str(FREE_SECONDS))
            done = await in_thread(lambda: self.desk.deploy(self.folder, *wait))
            free = time.monotonic() - began - sum(done.servers[0].phases.values())
            if self.way == "cut":
                with anyio.fail_after(CLIENT_SECONDS):
                    code = await running.process.wait()
                assert_spoken(Ran(code, "", running.said.decode()), UNREACHABLE)
        return done, free

    async def settled(self, kept: set[str], served: str) -> None:
        """Wait until nothing is left of what was interrupted: releases, processes, versions."""

        def left() -> tuple[list[str], list[str]]:
            return left_on_server(self.machine, self.name)

        await until(lambda: len(left()[1]) == 2, SETTLED_SECONDS, lambda: repr(left()))
        assert set(left()[0]) <= kept
        assert naps(self.nap) == []
        [build] = (await in_thread(self.desk.status, self.folder))["la"].builds
        assert build.version == served


@dataclass(frozen=True)
class Place:
    """Where the cells of a test are."""

    owner: Desk
    machine: Container
    folder: Path

    async def try_cell(self, at: str, way: str) -> reliability.Outcome:
        """Interrupt one deploy under load; gives what came of it, which must be well."""
        name, machine = f"{at}-{way}", self.machine
        host = f"{name}.bed.test"
        folder = project(name, self.folder / name, tail="instances = 2")
        await in_thread(self.owner.certify, machine, host)
        desk = Desk(self.owner.pyz, self.folder / f"desk-{name}", machine.key)
        asked = Options(port=machine.https_port, host=host, ca=str(self.owner.ca))
        async with Line.to(machine.ssh_port) as line:
            desk.know("la", "127.0.0.1", line.port, machine.host_key)
            cell = Cell(at, way, desk, machine, line, folder, nap=f"31.{secrets.randbelow(10**6):06}")
            old = (await in_thread(desk.deploy, folder)).version
            async with Load(replace(asked, rate=LOAD_RATE)) as load:
                await load.until(lambda seen: seen.finished > 5)
                done, free = await cell.interrupted(old)
                summary = await load.stop()
            await cell.settled({old, done.version, *summary.versions}, done.version)
        assert free <= FREE_SECONDS, name
        assert summary.failed == 0, (name, summary.failed_by_kind, summary.failures[:5])
        assert summary.last_version == done.version, name
        return reliability.Outcome(at, way, round(free, 1), summary.finished, summary.failed)


@pytest.mark.parametrize(("way", "stages"), CELLS)
async def test_interrupted_deploys(
    way: str,
    stages: tuple[str, ...],
    desk: Desk,
    machine: Container,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    place, turns = Place(desk, machine, tmp_path), anyio.CapacityLimiter(SIDE_BY_SIDE)

    async def one(at: str) -> None:
        async with turns:
            outcome = await place.try_cell(at, way)
        record_property(reliability.PROPERTY, msgspec.to_builtins(outcome))

    async with anyio.create_task_group() as cells:
        for at in stages:
            cells.start_soon(one, at)
