"""Init as a test plays it: it tells control what lives, answers what control asks, and outlives each control.

Instances are pages of this process, so that their ports are their own; `start` tells them apart. Workers say of each
snapshot that it is in force.
"""

import json
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

import anyio
import msgspec
from anyio.abc import TaskGroup

from tako_modules.model import snapshot as feed

__all__ = ["Boot", "Init", "PlayedChild", "PlayedWorker"]

PACKET = 256 << 10  # bytes of one packet
SNAPSHOT = 16 << 20
DESCRIPTORS = 8
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Boot(StrEnum):
    """What becomes of an instance that control asks for."""

    READY = "ready"  # it serves at once
    DEAF = "deaf"  # it lives and never listens
    DEAD = "dead"  # it exits with code 3 at once
    HELD = "held"  # init has not answered yet: see `Init.answer`


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the tests look at in a request of control."""

    op: str
    id: str = ""
    kind: str = ""
    pid: int = 0
    start: int = 0
    signal: int = 0
    cwd: str = ""
    env: dict[str, str] = {}


class PlayedChild:
    """A process that init holds: what is told of it, and the descriptor that goes with it."""

    def __init__(self, kind: str, ident: str, start: int) -> None:
        self.kind = kind
        self.id = ident
        self.start = start
        self.pid = os.getpid()

    @property
    def fields(self) -> dict[str, object]:
        """The child as packets name it."""
        return {"kind": self.kind, "id": self.id, "pid": self.pid, "start": self.start}


class PlayedInstance(PlayedChild):
    """An instance: its output pipe, and its page while it serves."""

    def __init__(self, ident: str, start: int) -> None:
        super().__init__("instance", ident, start)
        self.output, self._written = os.pipe()
        self.serving = anyio.CancelScope()

    def end(self) -> None:
        """Stop serving and close its end of the pipe."""
        self.serving.cancel()
        os.close(self._written)

    async def serve(self, listener: socket.socket) -> None:
        """Answer every request with a page, until cancelled."""
        with self.serving, listener:
            listener.setblocking(False)
            async with anyio.create_task_group() as tasks:
                while True:
                    await anyio.wait_readable(listener)
                    tasks.start_soon(_answer, listener.accept()[0])


async def _answer(connection: socket.socket) -> None:
    with connection:
        await anyio.wait_readable(connection)
        try:
            if connection.recv(PACKET):  # else it was a probe that only connects
                connection.send(PAGE)
        except ConnectionError:
            return


class PlayedWorker(PlayedChild):
    """A worker of the data plane: it applies every snapshot and counts what the test says."""

    def __init__(self, ident: str, start: int) -> None:
        super().__init__("worker", ident, start)
        self.theirs, self._channel = _pair()
        self.snapshots: list[feed.Snapshot] = []
        self.drains = 0

    @property
    def key(self) -> str:
        """Its name in the counters."""
        return f"{self.pid}.{self.start}"

    def say(self, fact: feed.Fact) -> None:
        """Tell control something."""
        self._channel.send(feed.encode(fact))

    def close(self) -> None:
        """End it: both ends, for no control hears of it any more."""
        anyio.notify_closing(self._channel)
        self._channel.close()
        self.theirs.close()

    async def work(self) -> None:
        """Take orders until it is closed."""
        while self._channel.fileno() >= 0:
            try:
                await anyio.wait_readable(self._channel)
                data, files, _, _ = socket.recv_fds(self._channel, PACKET, DESCRIPTORS)
            except (anyio.ClosedResourceError, OSError):
                return
            if not data:
                return
            self._obey(feed.decode_down(data), files)

    def _obey(self, order: feed.Down, files: list[int]) -> None:
        if isinstance(order, feed.NewSnapshot):
            self.snapshots.append(feed.decode_snapshot(os.pread(files[0], SNAPSHOT, 0)))
            self.say(feed.Applied(epoch=order.epoch, generation=order.generation))
        elif isinstance(order, feed.Report):
            self.say(feed.Reported(serial=order.serial))
        else:
            self.drains += 1
        for file in files:
            os.close(file)


class Init:
    """The script of one test; `boot` is what becomes of the next instances, `asked` is all that control has sent."""

    def __init__(self, folder: Path, tasks: TaskGroup) -> None:
        self.boot = Boot.READY
        self.stopping = False
        self.asked: list[Asked] = []
        self.held: deque[Asked] = deque()
        self.workers: list[PlayedWorker] = []
        self.instances: dict[str, PlayedInstance] = {}
        self.socket = folder / "s"
        self._management = socket.socket(socket.AF_UNIX)
        self._management.bind(str(self.socket))
        self._management.listen()
        self._tasks = tasks
        self._starts = 0
        self._channel: socket.socket | None = None
        self._exits: dict[int, tuple[dict[str, object], int | None]] = {}  # start → what no control has acknowledged

    def close(self) -> None:
        """End everything."""
        for worker in self.workers:
            worker.close()
        for one in self.instances.values():
            one.end()
            os.close(one.output)
        for _, pipe in self._exits.values():
            if pipe is not None:
                os.close(pipe)
        self._management.close()

    def worker(self) -> PlayedWorker:
        """Start a worker; a control that comes later finds it."""
        made = PlayedWorker(str(len(self.workers)), self._next_start())
        self.workers.append(made)
        self._tasks.start_soon(made.work)
        return made

    def instance(self, ident: str, port: int, boot: Boot = Boot.READY) -> PlayedInstance:
        """Let an instance live that a former control has started."""
        made = self.instances[ident] = PlayedInstance(ident, self._next_start())
        if boot is Boot.READY:
            self._tasks.start_soon(made.serve, socket.create_server(("127.0.0.1", port)))
        return made

    def _next_start(self) -> int:
        self._starts += 1
        return self._starts

    def connect(self) -> socket.socket:
        """Give a new control its channel, with all that init knows already in it."""
        theirs, self._channel = _pair()
        with socket.socket(fileno=os.dup(self._management.fileno())) as management:
            words = {"workers": len(self.workers), "rootless": True, "stopping": self.stopping, "seconds": 30.0}
            self.tell("hello", words, management.fileno())
        for worker in self.workers:
            self.tell("child", worker.fields, worker.theirs.fileno())
        for one in self.instances.values():
            self.tell("child", one.fields, one.output)
        for report, pipe in self._exits.values():
            self.tell("exit", report, *(() if pipe is None else (pipe,)))
        self.tell("end")
        return theirs

    def hang_up(self) -> None:
        """Control has died: its channel goes; what it asked before is still done."""
        assert self._channel is not None
        self._take_all(self._channel)
        self._channel.close()
        self._channel = None

    def tell(self, event: str, fields: Mapping[str, object] | None = None, *descriptors: int) -> None:
        """Send control one packet; without a control nobody hears it."""
        if self._channel is not None:
            socket.send_fds(self._channel, [json.dumps({"event": event, **(fields or {})}).encode()], descriptors)

    async def listen(self) -> None:
        """Do what control asks, until cancelled."""
        while self._channel is not None:
            await anyio.wait_readable(self._channel)
            if not self._take_all(self._channel):
                return

    def _take_all(self, channel: socket.socket) -> bool:
        while True:
            try:
                data, files, _, _ = socket.recv_fds(channel, PACKET, DESCRIPTORS)
            except BlockingIOError:
                return True
            if not data:
                return False
            for file in files:
                os.close(file)
            self._take(msgspec.json.decode(data, type=Asked))

    def _take(self, request: Asked) -> None:
        self.asked.append(request)
        act: Callable[[Asked], None] | None = {"spawn": self._spawn, "kill": self._kill, "ack": self._ack}.get(
            request.op
        )
        if act is not None:
            act(request)

    def _spawn(self, request: Asked) -> None:
        if request.kind != "instance":
            return
        if self.boot is Boot.HELD:
            self.held.append(request)
        else:
            self.answer(request, self.boot)

    def answer(self, request: Asked, boot: Boot = Boot.READY) -> None:
        """Start what control has asked for."""
        made = self.instance(request.id, int(request.env["PORT"]), boot)
        self.tell("spawned", made.fields, made.output)
        if boot is Boot.DEAD:
            self.end(request.id, 3)

    def _kill(self, request: Asked) -> None:
        for ident, one in list(self.instances.items()):
            if (one.pid, one.start) == (request.pid, request.start):
                self.end(ident, -request.signal)

    def _ack(self, request: Asked) -> None:
        _, pipe = self._exits.pop(request.start, ({}, None))
        if pipe is not None:
            os.close(pipe)

    def end(self, ident: str, code: int) -> None:
        """Let an instance end."""
        one = self.instances.pop(ident)
        one.end()
        self._report(one, code, one.output)

    def lose(self, worker: PlayedWorker, code: int = -9) -> None:
        """Let a worker end; where no control is, its channel waits with the report."""
        self.workers.remove(worker)
        self._report(worker, code, None if self._channel else os.dup(worker.theirs.fileno()))
        worker.close()

    def _report(self, child: PlayedChild, code: int, left: int | None) -> None:
        report = {**child.fields, "code": code, "ended": time.monotonic()}
        self._exits[child.start] = (report, left)
        self.tell("exit", report)

    def signals(self, child: PlayedChild) -> list[int]:
        """Tell which signals control has asked for, for one child, in order."""
        return [one.signal for one in self.asked if one.op == "kill" and one.start == child.start]

    def ops(self, *names: str) -> list[str]:
        """Tell which of these things control has asked for, in order."""
        return [one.op for one in self.asked if one.op in names]


def _pair() -> tuple[socket.socket, socket.socket]:
    """Make a channel: the end that is handed out, and ours."""
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (theirs, ours):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PACKET * 2)
    return theirs, ours
