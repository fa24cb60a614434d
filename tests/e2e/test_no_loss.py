"""Not one request is lost: a deploy, a rollback and the death of processes, each under load and honestly counted."""

import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from tako_modules.model.deployment import Counters
from tako_modules.protocol.replies import StatusData
from tests.kit.commands import Deployed, Ran
from tests.kit.load import Load, Options, Summary
from tests.kit.local import Local, local_server
from tests.kit.projects import local_project

pytestmark = pytest.mark.alone

BEFORE = AFTER = 5.0  # seconds of load around what is tested
RATE = 900.0  # requests a second: 20,000 in the time of a deploy, and two cores are left to answer them
IDLE_SECONDS = 30.0
KILLS = (0.3, 1.0, 0.5, 0.8, 0.2, 1.2)  # seconds from one kill to the next: at another step of the rollout each time
REPLACED = 1.0  # seconds within which a worker is back
SERVICE_RESTART = "1012"
TICK = re.compile(r"tick (\S+) (\d+)$", re.MULTILINE)


@pytest.fixture
def local(tako_pyz: Path, tmp_path: Path) -> Iterator[Local]:
    """A server of the test's own: what it kills is nobody else's."""
    with local_server(tako_pyz, tmp_path / "server") as made:
        yield made


def options(local: Local, app: str, rate: float = RATE) -> Options:
    """The whole load on one app."""
    return Options(port=local.https, host=f"{app}.localhost", ca=str(local.ca), rate=rate)


def status(local: Local, folder: Path) -> StatusData:
    """What `status --json` tells of the one server."""
    return local.status(folder)["local"]


async def run(local: Local, folder: Path, *arguments: str) -> Ran:
    """Run a verb while the load goes on."""
    return await anyio.to_thread.run_sync(lambda: local.tako(*arguments, cwd=folder))


async def deploy(local: Local, folder: Path) -> Deployed:
    """Deploy while the load goes on."""
    return await anyio.to_thread.run_sync(lambda: local.deploy(folder))


def two(folder: Path, *lines: str) -> Path:
    """An app of two instances."""
    return local_project("shop", folder, *lines, tail="instances = 2")


def pid_of(local: Local, name: str) -> int:
    """The pid of control, init or a worker."""
    info = local.tako("servers", "status", "local", "--json")
    found = re.search(rf'"{name}":\s*(\d+)', info.out)
    assert found is not None, info.out + info.err
    return int(found[1])


def assert_clean(summary: Summary) -> None:
    """No request failed, none was lost, none arrived twice."""
    assert summary.failed == 0, (summary.failed_by_kind, summary.failures[:5])
    assert summary.started == summary.finished


CONDUCT = {"usual": (), "boots in 3 s": ('BOOT_SECONDS = "3"',), "ignores SIGTERM": ('IGNORE_TERM = "1"',)}


@pytest.mark.parametrize("conduct", CONDUCT)
async def test_a_deploy_under_load_loses_nothing(conduct: str, local: Local, tmp_path: Path) -> None:
    app = two(tmp_path / "app", *CONDUCT[conduct])
    old = (await deploy(local, app)).version
    counted: Counters = status(local, app).requests
    async with Load(options(local, "shop")) as load:
        await anyio.sleep(BEFORE)
        two(app, *CONDUCT[conduct], 'NEXT = "1"')
        done = await deploy(local, app)
        await anyio.sleep(AFTER)
        await load.until(lambda seen: seen.finished >= 20_000, seconds=60)
        summary = await load.stop()
    assert_clean(summary)
    assert (summary.first_version, summary.last_version) == (old, done.version)
    assert summary.spans[old][1] > summary.spans[done.version][0], "both versions served side by side"
    assert set(summary.websocket_codes) <= {SERVICE_RESTART, "1000"}
    assert summary.websocket_codes.get(SERVICE_RESTART, 0) >= 2
    deployed = done.servers[0].deployed
    assert deployed is not None
    receipt = deployed.receipt.requests
    assert receipt.failed == 0
    assert receipt.started == receipt.finished > 0
    grown = status(local, app).requests.since(counted)
    assert (grown.started, grown.finished, grown.failed) == (summary.finished, summary.finished, 0)


async def test_a_rollback_under_load_loses_nothing_and_moves_traffic_at_once(local: Local, tmp_path: Path) -> None:
    app = two(tmp_path / "app")
    first = (await deploy(local, app)).version
    two(app, 'NEXT = "1"')
    second = (await deploy(local, app)).version
    async with Load(options(local, "shop")) as load:
        await anyio.sleep(2)
        asked = (await load.peek()).seconds
        done = await run(local, app, "rollback", "--json")
        await anyio.sleep(3)
        summary = await load.stop()
    assert done.code == 0, done.err
    assert_clean(summary)
    assert summary.last_version == first
    assert summary.spans[second][1] - asked < 2.0 + 0.7, "the command starts, the app boots, traffic moves"
    assert status(local, app).version == first


def ticks(local: Local, folder: Path) -> dict[str, list[int]]:
    """The numbers that the instances have printed, as `logs` shows them."""
    found: dict[str, list[int]] = {}
    for instance, number in TICK.findall(local.tako("logs", "--lines", "10000", cwd=folder).out):
        found.setdefault(instance, []).append(int(number))
    return found


async def test_killing_control_fails_nothing_and_the_next_deploy_works(local: Local, tmp_path: Path) -> None:
    app = two(tmp_path / "app", 'TICK_SECONDS = "0.02"')
    await deploy(local, app)
    before = status(local, app)
    async with Load(options(local, "shop")) as load:
        await anyio.sleep(2)
        os.kill(pid_of(local, "control"), signal.SIGKILL)
        began = time.monotonic()
        after = await anyio.to_thread.run_sync(status, local, app)
        assert time.monotonic() - began < 2.0
        await anyio.sleep(2)
        printed = await anyio.to_thread.run_sync(ticks, local, app)
        two(app, 'NEXT = "1"')
        await deploy(local, app)
        summary = await load.stop()
    assert_clean(summary)
    assert len(printed) == 2
    for numbers in printed.values():
        assert len(numbers) > 100
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "a line is missing, or there twice"
    assert [one.pid for one in after.instances] == [one.pid for one in before.instances]


async def test_killing_control_again_and_again_during_a_deploy_fails_nothing(local: Local, tmp_path: Path) -> None:
    app = two(tmp_path / "app")
    await deploy(local, app)
    async with Load(replace(options(local, "shop", rate=200.0), websockets=0)) as load:
        await anyio.sleep(1)
        two(app, 'NEXT = "1"')
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, local, app, "deploy", "--yes")
            for pause in KILLS:
                control = await anyio.to_thread.run_sync(pid_of, local, "control")
                await anyio.sleep(pause)
                os.kill(control, signal.SIGKILL)
        two(app, 'NEXT = "2"')
        last = await anyio.to_thread.run_sync(lambda: local.deploy(app, "--wait", "60"))
        summary = await load.stop()
    assert_clean(summary)
    assert summary.last_version == last.version


async def test_killing_a_worker_fails_only_what_it_held(local: Local, tmp_path: Path) -> None:
    app = two(tmp_path / "app")
    await deploy(local, app)
    async with Load(options(local, "shop", rate=300.0)) as load:
        await anyio.sleep(2)
        worker = await anyio.to_thread.run_sync(pid_of, local, "worker-0")
        os.kill(worker, signal.SIGKILL)
        killed = (await load.peek()).seconds
        await anyio.sleep(4)
        summary = await load.stop()
    assert summary.failed <= 48 + 16 + 4 + 2, summary.failed_by_kind
    late = [one for one in summary.failures if one.at > killed + REPLACED]
    assert not late, late


async def test_killing_init_brings_everything_back_by_itself(local: Local, tmp_path: Path) -> None:
    app = two(tmp_path / "app")
    await deploy(local, app)
    os.kill(pid_of(local, "init"), signal.SIGKILL)
    assert local.process is not None
    local.process.wait(10)
    local.start()
    end = time.monotonic() + 15
    while " 200" not in local.curl(f"https://shop.localhost:{local.https}/", "-i").out[:20]:
        assert time.monotonic() < end, local.journal()
    assert len(status(local, app).instances) == 2


def sleeps(local: Local, app: Path) -> None:
    """Wait until the app has no instance."""
    end = time.monotonic() + IDLE_SECONDS
    while status(local, app).state != "idle":
        assert time.monotonic() < end


async def test_five_hundred_first_requests_wake_a_sleeping_app_once(local: Local, tmp_path: Path) -> None:
    app = local_project("nap", tmp_path / "nap", tail="instances = 0\nidle_timeout = 1")
    done = (await deploy(local, app)).servers[0].deployed
    assert done is not None
    [first] = done.receipt.instances
    sleeps(local, app)
    target = Options(
        port=local.https, host="nap.localhost", ca=str(local.ca), keep_alive=500, fresh=0, slow=0, websockets=0
    )
    async with Load(target) as load:
        await load.until(lambda seen: seen.finished >= 500)
        summary = await load.stop()
    assert_clean(summary)
    assert [one.id for one in status(local, app).instances] == [first.id + 1], "one start for all of them"
    sleeps(local, app)
