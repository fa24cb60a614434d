"""Who is at the other end: ids, groups, and the rule that decides."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tako_modules.mgmt.peer import Peer, UnknownPeer, members, peer_of

STAY = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)"


def test_the_kernel_tells_who_connects(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        client.connect(str(tmp_path / "s"))
        connection, _ = listener.accept()
        with connection:
            peer = peer_of(connection)
    assert peer == Peer(pid=os.getpid(), uid=os.getuid(), gid=os.getgid(), groups=frozenset(os.getgroups()))


def connect_as(path: Path, gid: int, groups: list[int]) -> Peer:
    """Connect as another user, as root alone can."""
    argv = [sys.executable, "-IS", "-c", STAY, str(path)]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o777)
        listener.listen()
        listener.settimeout(10)
        with subprocess.Popen(argv, user=65534, group=gid, extra_groups=groups), listener.accept()[0] as connection:
            return peer_of(connection)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take other groups")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@needs_root
@pytest.mark.parametrize("groups", [[], [5], [5, 78, 100_000], list(range(1000, 1256))], ids=len)
def test_primary_and_supplementary_groups_are_told(folder: Path, groups: list[int]) -> None:
    peer = connect_as(folder / "s", 77, groups)
    assert (peer.uid, peer.gid, peer.groups) == (65534, 77, frozenset(groups))
    assert all(peer.in_group(gid) for gid in [77, *groups])
    assert not peer.in_group(6)


@needs_root
def test_more_groups_than_can_be_read_are_a_no_with_its_reason(folder: Path) -> None:
    with pytest.raises(UnknownPeer, match="more than 256 groups"):
        connect_as(folder / "s", 77, list(range(1000, 1257)))


CASES = [
    pytest.param(Peer(pid=1, uid=0, gid=0), None, id="root"),
    pytest.param(Peer(pid=1, uid=7, gid=50), None, id="the group as primary"),
    pytest.param(Peer(pid=1, uid=7, gid=7, groups=frozenset({50})), None, id="the group as supplementary"),
    pytest.param(Peer(pid=1, uid=7, gid=7), "uid 7 is neither root nor in the group with gid 50", id="neither"),
]


@pytest.mark.parametrize(("peer", "reason"), CASES)
def test_root_and_members_of_the_group_may_come_in(peer: Peer, reason: str | None) -> None:
    assert members(uids=frozenset({0}), gid=50)(peer) == reason


def test_a_server_of_one_user_takes_that_user_alone() -> None:
    rule = members(uids=frozenset({7}), gid=None)
    assert rule(Peer(pid=1, uid=7, gid=7)) is None
    assert rule(Peer(pid=1, uid=0, gid=0)) == "this server belongs to another user: uid 0 may not use it"
