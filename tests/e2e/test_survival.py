"""A server under systemd: processes killed, restarted, reloaded, power lost; apps come back by themselves."""

import time

import anyio
import pytest

from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.load import Load, Options
from tests.kit.projects import project

pytestmark = pytest.mark.alone

BACK_SECONDS = 15.0  # every app answers again within this after init was killed or the machine came back
HOST = "shop.bed.test"
RATE = 200.0


@pytest.fixture(scope="module")
def desk(desk: Desk, machine: Container) -> Desk:
    """The machine is a server with an app of two instances when this returns."""
    desk.deploy(project("shop", desk.root / "shop", tail="instances = 2"))
    desk.certify(machine, HOST)
    assert desk.curl(machine, f"https://{HOST}/", "--retry", "5", "--retry-all-errors").code == 0
    return desk


def load(machine: Container, desk: Desk) -> Load:
    """A load on the app from outside of the machine."""
    return Load(Options(port=machine.https_port, host=HOST, ca=str(desk.ca), rate=RATE))


def answers_within(machine: Container, desk: Desk, seconds: float) -> None:
    """Ask until the app answers."""
    end = time.monotonic() + seconds
    while desk.curl(machine, f"https://{HOST}/", "--max-time", "2", "-f").code != 0:
        assert time.monotonic() < end, machine.journal("tako")


async def test_a_reload_replaces_the_program_and_fails_nothing(machine: Container, desk: Desk) -> None:
    before = machine.shell("systemctl show -p MainPID --value tako").out
    async with load(machine, desk) as running:
        await anyio.sleep(2)
        machine.shell("systemctl reload tako")
        await anyio.sleep(5)
        summary = await running.stop()
    assert summary.failed == 0, (summary.failed_by_kind, summary.failures[:5])
    assert machine.shell("systemctl show -p MainPID --value tako").out == before


async def test_a_restart_refuses_nobody(machine: Container, desk: Desk) -> None:
    async with load(machine, desk) as running:
        await anyio.sleep(2)
        await anyio.to_thread.run_sync(lambda: machine.shell("systemctl restart tako"))
        await anyio.sleep(5)
        summary = await running.stop()
    assert summary.failed_by_kind.get("refused", 0) == 0
    assert not [one for one in summary.failures if one.kind == "status"], summary.failures[:5]
    answers_within(machine, desk, BACK_SECONDS)


def test_killing_init_brings_all_apps_back(machine: Container, desk: Desk) -> None:
    machine.shell("systemctl kill --kill-who=main --signal=KILL tako")
    answers_within(machine, desk, BACK_SECONDS)
    status = desk.status(desk.root / "shop")["la"]
    assert [one.state for one in status.instances] == ["healthy", "healthy"]


def test_a_machine_that_lost_power_comes_back_with_its_apps(machine: Container, desk: Desk) -> None:
    machine.kill()
    machine.restart()
    machine.wait()
    answers_within(machine, desk, BACK_SECONDS)
