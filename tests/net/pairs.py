"""A loop that turns while a test waits, and receivers that remember what they heard."""

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tako_modules.net.loop import Loop
from tako_modules.net.streams import Data, Stream

__all__ = ["Ear", "FakePoller", "Turner", "turner"]

PATIENCE = 5.0  # real seconds until a test has waited for nothing


class FakePoller:
    """Events that the test makes up; time passes by the timeouts that are asked for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.watched: dict[int, int] = {}
        self.batches: list[list[tuple[int, int]]] = []
        self.timeouts: list[float] = []

    def clock(self) -> float:
        """Tell the time."""
        return self.now

    def register(self, fd: int, mask: int, /) -> None:
        """Remember it."""
        self.watched[fd] = mask

    def unregister(self, fd: int, /) -> None:
        """Forget it."""
        del self.watched[fd]

    def poll(self, timeout: float, _limit: int, /) -> list[tuple[int, int]]:
        """Give the next batch, or let time pass."""
        self.timeouts.append(timeout)
        if self.batches:
            return self.batches.pop(0)
        self.now += timeout
        return []

    def close(self) -> None:
        """Nothing is open."""


class _Quick:
    """epoll that waits for a millisecond at most."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.register, self.unregister, self.close = self._epoll.register, self._epoll.unregister, self._epoll.close

    def poll(self, timeout: float, limit: int, /) -> list[tuple[int, int]]:
        """Wait for events."""
        return self._epoll.poll(min(timeout, 0.001), limit)


class Ear:
    """A receiver that remembers; on_data may have something more to do."""

    def __init__(self, then: Callable[[bytes], None] | None = None) -> None:
        self.got = b""
        self.sizes: list[int] = []
        self.heard: list[str] = []
        self._then = then

    def on_open(self) -> None:
        """Remember."""
        self.heard.append("open")

    def on_data(self, data: Data) -> None:
        """Remember."""
        self.got += data
        self.sizes.append(len(data))
        if self._then is not None:
            self._then(bytes(data))

    def on_eof(self) -> None:
        """Remember."""
        self.heard.append("eof")

    def on_drained(self) -> None:
        """Remember."""
        self.heard.append("drained")

    def on_lost(self, reason: str) -> None:
        """Remember."""
        self.heard.append(f"lost {reason}".strip())


class Turner:
    """A loop and the streams of a test."""

    def __init__(self) -> None:
        self.loop = Loop(_Quick())
        self.open: list[Stream | socket.socket] = []

    def until(self, condition: Callable[[], bool]) -> None:
        """Turn until something is the case."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            self.loop.turn()

    def settle(self) -> None:
        """Turn until nothing is left to do."""
        for _ in range(10):
            self.loop.turn()

    def pair(self, ear: Ear, *, served: bool = True) -> tuple[Stream, socket.socket]:
        """Have a TCP stream on the loop, and its peer."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            peer = socket.create_connection(server.getsockname())
            sock, _ = server.accept()
        sock.setblocking(False)
        peer.setblocking(False)
        stream = Stream(self.loop, sock, served=served)
        stream.start(ear)
        self.open += [stream, peer]
        return stream, peer


@contextmanager
def turner() -> Iterator[Turner]:
    """Have a loop; an exception in one of its handlers fails the test."""
    one = Turner()
    try:
        yield one
        assert one.loop.failures == 0
    finally:
        for thing in one.open:
            thing.close()
        one.loop.close()
