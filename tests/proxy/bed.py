"""A worker in the test's own thread: the loop turns while the test waits for something, and the clock can jump."""

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from tako_modules.model import snapshot as model
from tako_modules.net.loop import Loop
from tako_modules.proxy.worker import Worker

__all__ = ["BARE", "ROOM", "Bed", "Clock", "ImpatientPoller", "Peer", "Server", "address", "app", "bed"]

F = TypeVar("F", bound=model.Fact)
BARE = model.Snapshot(epoch=1, generation=0)
ROOM = 10_000  # bytes that a kernel takes for a peer that is to be slow
PATIENCE = 5.0  # real seconds until a test has waited for nothing


class Clock:
    """The machine's monotonic clock, which can jump."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped


class ImpatientPoller:
    """epoll that never waits for long, so that the test sees what has changed."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def register(self, fd: int, mask: int, /) -> None:
        """Begin to watch."""
        self._epoll.register(fd, mask)

    def unregister(self, fd: int, /) -> None:
        """Stop watching."""
        self._epoll.unregister(fd)

    def poll(self, timeout: float, limit: int, /) -> list[tuple[int, int]]:
        """Wait for a millisecond at most."""
        return self._epoll.poll(min(timeout, 0.001), limit)

    def close(self) -> None:
        """Close it."""
        self._epoll.close()


class Peer:
    """A raw connection of the test, to or from the worker; waiting turns the loop."""

    def __init__(self, bed: "Bed", sock: socket.socket) -> None:
        sock.setblocking(False)
        self.bed, self.sock = bed, sock
        self.got = b""
        self.ended = self.was_reset = False

    def send(self, data: bytes) -> Self:
        """Send all of it."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                self.bed.turn()
        return self

    def offer(self, data: bytes) -> int:
        """Send what is taken at once; gives how much that was."""
        if not data:
            return 0
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def poll(self) -> None:
        """Take what is there."""
        try:
            while data := self.sock.recv(1 << 20):
                self.got += data
            self.ended = True
        except BlockingIOError:
            return
        except ConnectionResetError:
            self.ended = self.was_reset = True

    def until(self, mark: bytes, count: int = 1) -> bytes:
        """Wait until `mark` has come that many times; gives all up to its end, and forgets it."""
        self.bed.until(lambda: self._has(mark, count), f"{mark!r} in {self.got[-400:]!r}")
        end = 0
        for _ in range(count):
            end = self.got.index(mark, end) + len(mark)
        taken, self.got = self.got[:end], self.got[end:]
        return taken

    def _has(self, mark: bytes, count: int) -> bool:
        self.poll()
        return self.got.count(mark) >= count

    def head(self) -> bytes:
        """Wait for a head."""
        return self.until(b"\r\n\r\n")

    def take(self, size: int) -> bytes:
        """Wait for that many bytes."""

        def enough() -> bool:
            self.poll()
            return len(self.got) >= size

        self.bed.until(enough, f"{size} bytes")
        taken, self.got = self.got[:size], self.got[size:]
        return taken

    def answer(self) -> bytes:
        """Wait for an answer with Content-Length; gives head and body."""
        head = self.head()
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        return head + self.take(length)

    def rest(self) -> bytes:
        """Wait for the end; gives all that came before."""

        def ended() -> bool:
            self.poll()
            return self.ended

        self.bed.until(ended, "the end of the connection")
        return self.got

    def close(self) -> None:
        """Close it."""
        self.sock.close()


class Server:
    """An upstream by hand: accepts when the test says so."""

    def __init__(self, bed: "Bed", port: int = 0) -> None:
        self.bed = bed
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)  # or the kernel takes what nobody reads
        self.sock.bind(("127.0.0.1", port))
        self.sock.listen(64)
        self.sock.setblocking(False)
        self.port = int(self.sock.getsockname()[1])

    def accept(self) -> Peer:
        """Wait for a connection."""
        return self.bed.accept(self.sock)

    def quiet(self) -> bool:
        """Tell whether nobody connects for a moment."""
        for _ in range(10):
            self.bed.turn()
        return not select.select([self.sock], [], [], 0)[0]

    def close(self) -> None:
        """Listen no more."""
        self.sock.close()


def address(port: int, ident: str = "one", version: str = "v1") -> model.InstanceAddress:
    """Name an instance on this machine."""
    return model.InstanceAddress(id=ident, port=port, version=version)


def app(
    *instances: model.InstanceAddress,
    routes: tuple[str, ...] = ("a.test",),
    ident: str = "shop",
    hold: model.Hold | None = None,
    error: str = "",
    https_only: bool = False,
    limits: model.Limits | None = None,
) -> model.AppTraffic:
    """Describe an app."""
    return model.AppTraffic(
        id=ident,
        version="v1",
        routes=routes,
        instances=instances,
        hold=hold,
        error=error,
        https_only=https_only,
        limits=limits or model.Limits(),
    )


class Bed:
    """One worker with a listener for each of http and https, and control's end of its channel."""

    def __init__(self, access: Path | None = None) -> None:
        self.clock = Clock()
        self.loop = Loop(ImpatientPoller(), self.clock)
        self.control, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        self.facts: list[model.Fact] = []
        self.ports: dict[str, int] = {}
        listeners = []
        for name in ("http", "https"):
            sock = socket.create_server(("127.0.0.1", 0), backlog=512)
            self.ports[name] = int(sock.getsockname()[1])
            listeners.append((name, sock))
        self.worker = Worker(self.loop, channel, listeners, access)
        self.worker.begin()
        self.generation = 0
        self._open: list[Peer | Server] = []

    def publish(self, *apps: model.AppTraffic, base: model.Snapshot = BARE) -> None:
        """Send a snapshot and wait until it is in force."""
        self.generation += 1
        self.send_snapshot(msgspec.structs.replace(base, apps=apps, generation=self.generation))
        self.until(lambda: self.fact(model.Applied).generation == self.generation, "Applied")

    def send_snapshot(self, snapshot: model.Snapshot) -> None:
        """Send a snapshot the way control does."""
        memory = os.memfd_create("snapshot")
        try:
            os.write(memory, model.encode(snapshot))
            packet = model.encode(model.NewSnapshot(epoch=snapshot.epoch, generation=snapshot.generation))
            socket.send_fds(self.control, [packet], [memory])
        finally:
            os.close(memory)

    def read_facts(self) -> list[model.Fact]:
        """Take what the worker has reported; gives all facts so far."""
        try:
            while packet := self.control.recv(1 << 18):
                self.facts.append(model.decode_fact(packet))
        except BlockingIOError:
            pass
        return self.facts

    def fact(self, kind: type[F]) -> F:
        """Wait for a fact of a kind; gives the newest one."""
        self.until(lambda: any(isinstance(fact, kind) for fact in self.read_facts()), kind.__name__)
        return [fact for fact in self.facts if isinstance(fact, kind)][-1]

    def served(self, version: str = "v1", ident: str = "shop") -> model.ServedCount:
        """Wait for the next report; gives the newest count of an app's version."""
        self.read_facts()
        for seconds in (0.2, 1.2, 0.2):
            self.skip(seconds)
            self.read_facts()
        counts = [
            count
            for fact in self.read_facts()
            if isinstance(fact, model.Served)
            for count in fact.counts
            if (count.app, count.version) == (ident, version)
        ]
        return counts[-1]

    def turn(self) -> None:
        """Let the worker act once."""
        self.loop.turn()

    def settle(self) -> None:
        """Let the worker act until nothing is left to do."""
        for _ in range(20):
            self.turn()

    def skip(self, seconds: float) -> None:
        """Let time pass: a second at a time, as the loop's wheel has it."""
        for _ in range(int(seconds)):
            self.clock.skipped += 1.0
            self.turn()
        self.clock.skipped += seconds % 1.0
        self.settle()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Let the worker act until something is the case."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}"
            self.turn()

    def server(self, port: int = 0) -> Server:
        """Begin an upstream."""
        server = Server(self, port)
        self._open.append(server)
        return server

    def accept(self, sock: socket.socket) -> Peer:
        """Wait for a connection to a listener of the test."""
        found: list[socket.socket] = []

        def accepted() -> bool:
            try:
                found.append(sock.accept()[0])
            except BlockingIOError:
                return False
            return True

        self.until(accepted, "a connection")
        peer = Peer(self, found[0])
        self._open.append(peer)
        return peer

    def client(self, data: bytes = b"", name: str = "http", room: int = 0) -> Peer:
        """Connect to the worker, and say something; room: bytes that the client's kernel takes before it is read."""
        sock = socket.socket()
        if room:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        sock.connect(("127.0.0.1", self.ports[name]))
        peer = Peer(self, sock)
        self._open.append(peer)
        return peer.send(data)

    def close(self) -> None:
        """Close everything."""
        for thing in self._open:
            thing.close()
        self.worker.close()
        self.control.close()


@contextmanager
def bed(access: Path | None = None) -> Iterator[Bed]:
    """Have a worker; an exception in one of its handlers fails the test."""
    one = Bed(access)
    try:
        yield one
        assert one.loop.failures == 0, "a handler raised, see standard error"
    finally:
        one.close()
