"""Accepting: batches, a full table of descriptors, leaving."""

import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tako_modules.net import listeners

from .pairs import Turner


class Door:
    """An acceptor and who came."""

    def __init__(self, turn: Turner, *, busy: bool = False) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = int(self.sock.getsockname()[1])
        self.came: list[socket.socket] = []
        self.fulls = 0
        self.acceptor = listeners.Acceptor(turn.loop, self.sock, self._open, lambda: busy, self._full)
        turn.open.append(self.sock)

    def _open(self, sock: socket.socket, _: listeners.Peer) -> None:
        self.came.append(sock)

    def _full(self) -> None:
        self.fulls += 1


@contextmanager
def visitors(door: Door, count: int) -> Iterator[list[socket.socket]]:
    """Connect that many times."""
    found = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(count)]
    try:
        yield found
    finally:
        for sock in (*found, *door.came):
            sock.close()


@pytest.mark.parametrize(("busy", "batch"), [(False, listeners.BATCH), (True, listeners.SHAKING_BATCH)])
def test_connections_are_accepted_in_batches(turn: Turner, busy: bool, batch: int) -> None:
    door = Door(turn, busy=busy)
    with visitors(door, 50):
        door.acceptor.begin()
        turn.loop.turn()
        assert len(door.came) == batch
        turn.until(lambda: len(door.came) == 50)


def test_leaving_takes_what_is_queued_and_nothing_later(turn: Turner) -> None:
    door = Door(turn)
    door.acceptor.begin()
    with visitors(door, 60):
        door.acceptor.leave()
        assert len(door.came) == 60
        with visitors(door, 1):
            turn.settle()
            assert len(door.came) == 60
    door.acceptor.leave()


def test_nothing_is_accepted_before_it_begins(turn: Turner) -> None:
    door = Door(turn)
    with visitors(door, 1):
        turn.settle()
        assert door.came == []
        door.acceptor.leave()
        assert door.came == []


def test_a_full_table_of_descriptors_is_waited_out(turn: Turner, capfd: pytest.CaptureFixture[str]) -> None:
    door = Door(turn)
    door.acceptor.begin()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with visitors(door, 3) as found:
        resource.setrlimit(resource.RLIMIT_NOFILE, (found[-1].fileno() + 1, hard))
        try:
            turn.settle()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert len(door.came) == 0
        assert capfd.readouterr().err.count("accept.full") == door.fulls == 1
        turn.until(lambda: len(door.came) == 3)


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        (("2001:db8::1", 5, 0, 0), "2001:db8::1"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::1"),
    ],
)
def test_addresses_are_written_plainly(peer: listeners.Peer, text: str) -> None:
    assert listeners.peer_text(peer) == text
