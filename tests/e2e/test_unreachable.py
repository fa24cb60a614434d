"""One of two servers cannot be reached: the other one is updated, in good time, and a table says what happened."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kit.bed import Bed
from tests.kit.commands import Ran
from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.projects import project
from tests.kit.spoken import assert_spoken

BOUND = 45.0  # seconds
UNREACHABLE, PARTLY = 4, 6
REASONS = {"closed": ("refuses connections",), "silent": ("did not answer",), "mute": ("did not answer",)}
RELEASE = 'release = "echo ran >> $TAKO_DATA_DIR/released"'
DROP = "nft add table inet cut; nft add chain inet cut in '{ type filter hook input priority -9; policy drop; }'"


@pytest.fixture(scope="module")
def silent(bed: Bed) -> Iterator[Container]:
    """A machine that answers no packet."""
    with bed.container() as made:
        made.shell(DROP)
        yield made


@pytest.fixture(scope="module")
def desk(desk: Desk, silent: Container) -> Desk:
    """Knows `la`, which works, `closed`, where nobody listens, `silent`, and `mute`, which accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    desk.know("closed", "127.0.0.1", ports[0])
    desk.know("a-closed", "127.0.0.1", ports[1])
    desk.know("silent", silent.address, 22)
    desk.know("mute", "127.0.0.1", silent.ssh_port)
    return desk


def test_a_lost_server_stops_no_other_one(desk: Desk, tmp_path: Path) -> None:
    """Side by side, for each takes as long as a connection may: half a minute."""
    lost = {name: (name, "la") for name in ("closed", "silent", "mute")} | {"both": ("closed", "silent")}
    folders = {name: project(f"half-{name}", tmp_path / name, servers=both) for name, both in lost.items()}

    def deploy(name: str) -> tuple[Ran, float]:
        began = time.monotonic()
        return desk.tako("deploy", "--yes", cwd=folders[name]), time.monotonic() - began

    with ThreadPoolExecutor(len(lost)) as threads:
        ended = dict(zip(lost, threads.map(deploy, lost), strict=True))
    assert {name: took for name, (_, took) in ended.items() if took > BOUND} == {}
    assert_spoken(ended.pop("both")[0], UNREACHABLE)
    for name, (done, _) in ended.items():
        assert_spoken(done, PARTLY, f"not on {name}", *REASONS[name])
        rows = dict(line.split(None, 1) for line in done.out.splitlines() if line.startswith(("la ", f"{name} ")))
        assert rows.keys() == {"la", name}
        assert (rows["la"], REASONS[name][0] in rows[name]) == ("deployed", True)
        alone = project(f"half-{name}", tmp_path / name, servers=("la",))
        assert desk.status(alone)["la"].state == "running"


def test_the_first_is_lost_and_there_is_a_release_command(desk: Desk, machine: Container, tmp_path: Path) -> None:
    folder = project("gate", tmp_path / "gate", servers=("a-closed", "la"), top=RELEASE)
    done = desk.tako("deploy", "--yes", cwd=folder)
    assert_spoken(done, PARTLY, "not on a-closed")
    assert machine.exec(["cat", "/opt/tako/apps/gate/shared/data/released"]).out == "ran\n"
    alone = project("gate", tmp_path / "gate", servers=("la",), top=RELEASE)
    assert desk.status(alone)["la"].state == "running"
