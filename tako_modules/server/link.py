"""Control's side of the channel to init: packets with descriptors, nothing decided here."""

import base64
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence

import anyio
import msgspec

from tako_modules.base import log

__all__ = ["Child", "InitEvent", "Link"]

PACKET = 128 << 10  # bytes of one packet of init: its protocol's own limit
DESCRIPTORS = 16  # descriptors that one packet can carry at the most
QUEUE = 4096  # packets that may wait for init; it reads at once, so more means that it is gone


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """A process that init holds: a worker, an instance or a task; pid and start (clock ticks) name it for ever."""

    kind: str
    id: str
    pid: int
    start: int
    build: int | str = 0
    retired: bool = False
    since: float = 0.0


class InitEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One packet of init; `event` tells which of the fields it carries (docs/inside/init.md)."""

    event: str
    kind: str = ""
    id: str = ""
    pid: int = 0
    start: int = 0
    build: int | str = 0
    retired: bool = False
    since: float = 0.0
    code: int = 0
    ended: float = 0.0
    errno: int | None = None
    step: str = ""
    message: str = ""
    op: str = ""
    file: str = ""
    listeners: dict[str, str] = {}
    addresses: list[tuple[str, str]] = []
    workers: int = 1
    rootless: bool = False
    stopping: bool = False
    seconds: float = 0.0

    @property
    def child(self) -> Child:
        """The process that this packet is about."""
        return Child(
            kind=self.kind,
            id=self.id,
            pid=self.pid,
            start=self.start,
            build=self.build,
            retired=self.retired,
            since=self.since,
        )


class Link:
    """The channel to init: `send` never waits, `run` hands every packet to `handle` in order."""

    def __init__(self, channel: socket.socket) -> None:
        self._socket = channel
        self._socket.setblocking(False)
        self._queue: deque[tuple[bytes, list[int]]] = deque()
        self._writable = anyio.Event()

    def send(self, op: str, fields: dict[str, object] | None = None, descriptors: Sequence[int] = ()) -> None:
        """Ask init for something; descriptors are duplicated, the caller keeps its own."""
        packet = msgspec.json.encode({"op": op, **(fields or {})})
        if len(self._queue) >= QUEUE:
            raise ConnectionError("init does not read its channel")
        self._queue.append((packet, [os.dup(descriptor) for descriptor in descriptors]))
        self._flush()

    def kill(self, child: Child, signal: int) -> None:
        """Signal a process group that init holds."""
        self.send("kill", {"pid": child.pid, "start": child.start, "signal": signal})

    def ack(self, child: Child) -> None:
        """Let init forget an exit report."""
        self.send("ack", {"pid": child.pid, "start": child.start})

    def keep_snapshot(self, packet: bytes, memory: int) -> None:
        """Leave the newest snapshot with init, for workers that start from now on."""
        self.send("snapshot", {"packet": base64.b64encode(packet).decode()}, [memory])

    def _flush(self) -> None:
        while self._queue:
            packet, descriptors = self._queue[0]
            try:
                socket.send_fds(self._socket, [packet], descriptors)
            except BlockingIOError:
                self._writable.set()
                return
            self._queue.popleft()
            for descriptor in descriptors:
                os.close(descriptor)

    async def write(self) -> None:
        """Send what had to wait, until cancelled."""
        while True:
            await self._writable.wait()
            self._writable = anyio.Event()
            await anyio.wait_writable(self._socket)
            self._flush()

    async def read(self, handle: Callable[[InitEvent, list[int]], None]) -> None:
        """Hand every packet with its descriptors to `handle`; returns when init is gone."""
        while True:
            await anyio.wait_readable(self._socket)
            if not self._read_all(handle):
                return

    def _read_all(self, handle: Callable[[InitEvent, list[int]], None]) -> bool:
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._socket, PACKET, DESCRIPTORS)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)
            try:
                event = msgspec.json.decode(data, type=InitEvent)
            except msgspec.MsgspecError as problem:
                log.error("init.packet", problem)
                for descriptor in descriptors:
                    os.close(descriptor)
                continue
            handle(event, descriptors)
