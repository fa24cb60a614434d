"""One of two servers cannot be reached: the other one is updated, in good time, and a table says what happened where."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.bed import Bed
from tests.kit.container import Container
from tests.kit.desk import Desk, project

BOUND = 45.0  # seconds
UNREACHABLE, PARTLY = 4, 6
RELEASE = 'release = "echo ran >> $TAKO_DATA_DIR/released"'
DROP = "nft add table inet cut; nft add chain inet cut in '{ type filter hook input priority -9; policy drop; }'"


@pytest.fixture(scope="module")
def machine(bed: Bed) -> Iterator[Container]:
    """The server that works."""
    with bed.container() as made:
        yield made


@pytest.fixture(scope="module")
def silent(bed: Bed) -> Iterator[Container]:
    """A machine that answers no packet."""
    with bed.container() as made:
        made.shell(DROP)
        yield made


@pytest.fixture(scope="module")
def desk(machine: Container, silent: Container, tako_pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Knows `la`, which works, `closed`, where nothing listens, `silent`, and `mute`, which accepts and says nothing."""
    made = Desk(tako_pyz, tmp_path_factory.mktemp("desk"), machine.key)
    done = made.add(machine, "la")
    assert done.code == 0, done.err
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    made.know("closed", "127.0.0.1", ports[0])
    made.know("a-closed", "127.0.0.1", ports[1])
    made.know("silent", silent.address, 22)
    made.know("mute", "127.0.0.1", silent.ssh_port)
    return made


@pytest.mark.parametrize("lost", ["closed", "silent", "mute"])
def test_one_of_two_is_lost(lost: str, desk: Desk, machine: Container, tmp_path: Path) -> None:
    name = f"half-{lost}"
    folder = project(name, tmp_path / name, servers=("la", lost))
    began = time.monotonic()
    done = desk.tako("deploy", "--yes", cwd=folder)
    took = time.monotonic() - began
    assert (done.code, took < BOUND) == (PARTLY, True), f"{took:.0f} s\n{done.err}"
    print(done.out, done.err, took)
    rows = [line.split(None, 1) for line in done.out.splitlines()]
    assert ["la", "deployed"] in rows
    assert [row[0] for row in rows if len(row) == 2 and "reached" in row[1] or lost in row] != []
    assert f"not on {lost}" in done.err
    assert "Traceback" not in done.err
    alone = project(name, tmp_path / name, servers=("la",))
    assert desk.status(alone)["la"].state == "running"


def test_both_are_lost(desk: Desk, tmp_path: Path) -> None:
    folder = project("none", tmp_path / "none", servers=("closed", "silent"))
    began = time.monotonic()
    done = desk.tako("deploy", "--yes", cwd=folder)
    assert done.code == UNREACHABLE, done.err
    assert time.monotonic() - began < BOUND


def test_the_first_is_lost_and_there_is_a_release_command(desk: Desk, machine: Container, tmp_path: Path) -> None:
    folder = project("gate", tmp_path / "gate", servers=("a-closed", "la"), top=RELEASE)
    done = desk.tako("deploy", "--yes", cwd=folder)
    assert done.code == PARTLY, done.err
    assert machine.exec(["cat", "/opt/tako/apps/gate/shared/data/released"]).out == "ran\n"
    alone = project("gate", tmp_path / "gate", servers=("la",), top=RELEASE)
    assert desk.status(alone)["la"].state == "running"
