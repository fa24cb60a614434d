"""A readiness loop: which descriptor is ready, what was put off, which deadline has passed; and nothing else.

One turn: poll, handlers, what was put off with `call_soon`, closes (a descriptor must not be used anew inside the batch
that still holds events for it), timers. An exception ends the object whose method raised it and nothing more.
"""

import heapq
import select
import socket
import time
import traceback
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from tako_modules.base import log

from .wheel import Wheel

__all__ = [
    "BUFFER_BYTES",
    "EDGE",
    "ERR",
    "EXCLUSIVE",
    "HUP",
    "IN",
    "OUT",
    "RDHUP",
    "STREAM",
    "Breakable",
    "Loop",
    "Poller",
    "Timer",
]

# epoll's numbers, also for pollers that are something else.
IN, OUT, ERR, HUP, RDHUP, EXCLUSIVE, EDGE = 0x1, 0x4, 0x8, 0x10, 0x2000, 1 << 28, 1 << 31
STREAM = IN | OUT | RDHUP | EDGE
EVENTS = 512  # of one poll: enough to share its price, few enough for the timers to be in time
BUFFER_BYTES = 1 << 20  # the largest bulk reads: measured, smaller ones cost half as much again per byte
WORDS_EVERY = 1.0  # seconds between two lines about exceptions: a bug on the hot path must not fill the disk


class Poller(Protocol):
    """What the loop needs of epoll."""

    def register(self, fd: int, mask: int, /) -> None:
        """Begin to watch a descriptor."""

    def unregister(self, fd: int, /) -> None:
        """Stop watching a descriptor."""

    def poll(self, timeout: float, limit: int, /) -> list[tuple[int, int]]:
        """Wait for events: pairs of descriptor and mask."""

    def close(self) -> None:
        """Let go of the kernel's object."""


@runtime_checkable
class Breakable(Protocol):
    """An owner of handlers that can be ended when one of them raised."""

    def broken(self) -> None:
        """Give up everything: a method of yours raised."""


class Timer:
    """A call to come; `cancel` makes it none."""

    __slots__ = ("call", "when")

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when = when
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Do not call."""
        self.call = None

    def __lt__(self, other: "Timer") -> bool:
        return self.when < other.when


class Loop:
    """Descriptors, calls and deadlines of one thread.

    now: the clock's seconds at the begin of this turn; buffer: room for one bulk read, good until the next read;
    failures: how many handlers raised.
    """

    __slots__ = (
        "_dead",
        "_handlers",
        "_poller",
        "_running",
        "_said",
        "_soon",
        "_timers",
        "buffer",
        "clock",
        "failures",
        "now",
        "wheel",
    )

    def __init__(self, poller: Poller | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._poller: Poller = select.epoll() if poller is None else poller
        self.clock = clock
        self.now = clock()
        self.wheel = Wheel(self.now)
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.failures = 0
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._soon: list[Callable[[], None]] = []
        self._dead: list[socket.socket] = []
        self._timers: list[Timer] = []
        self._said = -WORDS_EVERY
        self._running = False
        self.call_later(1.0, self._turn_wheel)

    def add(self, fd: int, handler: Callable[[int], None], mask: int = STREAM) -> None:
        """Watch a descriptor; the handler is called with the mask of what happened."""
        self._poller.register(fd, mask)
        self._handlers[fd] = handler

    def handle(self, fd: int, handler: Callable[[int], None]) -> None:
        """Give a watched descriptor another handler."""
        self._handlers[fd] = handler

    def remove(self, fd: int) -> None:
        """Stop watching a descriptor that stays open."""
        del self._handlers[fd]
        self._poller.unregister(fd)

    def discard(self, sock: socket.socket) -> None:
        """Stop watching a socket and close it at the end of this turn."""
        del self._handlers[sock.fileno()]
        self._dead.append(sock)

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call once in this turn or the next, after the handlers."""
        self._soon.append(call)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once, not before `seconds` have passed."""
        timer = Timer(self.clock() + seconds, call)
        heapq.heappush(self._timers, timer)
        return timer

    def run(self) -> None:
        """Turn until `stop`."""
        self._running = True
        while self._running:
            self.turn()

    def stop(self) -> None:
        """End `run` after this turn."""
        self._running = False

    def close(self) -> None:
        """Close the sockets that are still to be closed, and the poller."""
        self._bury()
        self._poller.close()

    def turn(self) -> None:
        """Wait for something to happen, and let everybody concerned act once."""
        events = self._poller.poll(self._patience(), EVENTS)
        self.now = self.clock()
        handlers = self._handlers
        for fd, mask in events:
            handler = handlers.get(fd)
            if handler is not None:
                try:
                    handler(mask)
                except Exception as problem:  # noqa: BLE001 one connection's bug must not end the others
                    self._raised(handler, problem)
        if self._soon:
            calls, self._soon = self._soon, []
            for call in calls:
                self._guard(call)
        if self._dead:
            self._bury()
        if self._timers[0].when <= self.now:
            self._ring()

    def _patience(self) -> float:
        return 0.0 if self._soon else max(0.0, self._timers[0].when - self.clock())

    def _ring(self) -> None:
        timers = self._timers
        while timers and timers[0].when <= self.now:
            call = heapq.heappop(timers).call
            if call is not None:
                self._guard(call)

    def _turn_wheel(self) -> None:
        self.call_later(1.0, self._turn_wheel)  # first of all: there is always a timer, whatever raises below
        for item in self.wheel.due(self.now):
            self._guard(item.expired)

    def _bury(self) -> None:
        for sock in self._dead:
            sock.close()
        self._dead.clear()

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as problem:  # noqa: BLE001 as in turn()
            self._raised(call, problem)

    def _raised(self, call: Callable[..., None], problem: Exception) -> None:
        """Count and report, then end the owner; when it was the ending that raised, nothing is left to try."""
        self._report(problem)
        owner: object = getattr(call, "__self__", None)
        if isinstance(owner, Breakable) and call != owner.broken:
            self.call_soon(owner.broken)

    def _report(self, problem: Exception) -> None:
        self.failures += 1
        if self.now - self._said >= WORDS_EVERY:
            self._said = self.now
            where = "".join(traceback.format_exception(problem))[-4000:]
            log.error("loop.failure", problem, failures=self.failures, trace=where)
