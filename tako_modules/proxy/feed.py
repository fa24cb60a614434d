"""The channel to control: snapshots and orders down, facts up.

Control may be away or slow, so facts are kept as what is newest of each kind and never as a queue: counters are
cumulative, numbers in flight are absolute, and nothing here grows or waits. What an instance has in flight goes out
before `Applied`: whoever reads that a generation is in force knows about everything that still runs without it.
"""

import os
import socket
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

import msgspec

from tako_modules.base import log
from tako_modules.model import snapshot as model
from tako_modules.net.loop import EDGE, IN, OUT, Loop

__all__ = ["Feed", "Orders"]

PACKET_BYTES = 64 << 10  # of a packet of control; a snapshot comes beside it
SNAPSHOT_BYTES = 256 << 20  # no server has that many routes and certificates
PACKETS = 64  # of one turn
COUNTS = 100  # of one packet: some 25 KB
INSTANCES = 500  # of one packet
FAILURES = 100  # instances with a failure to report; control counts, it does not need each one
COALESCE_SECONDS = 0.05  # what happens often, an instance that falls idle say, is reported 20 times a second at most
LAST_SECONDS = 1.0  # for control to make room for the last words


class Orders(Protocol):
    """Who carries out what control says."""

    def on_snapshot(self, snapshot: model.Snapshot) -> None:
        """Work by this snapshot from now on."""

    def on_drain(self, seconds: float) -> None:
        """Finish within this time and exit."""

    def on_report(self, serial: int) -> None:
        """Send what was counted until now, then `reported(serial)`."""

    def on_orphaned(self) -> None:
        """Nobody holds the other end any more."""


class Feed:
    """A worker's end of the channel."""

    __slots__ = (
        "_applied",
        "_channel",
        "_connections",
        "_counts",
        "_failures",
        "_in_flight",
        "_loop",
        "_orders",
        "_reported",
        "_scheduled",
        "_wakes",
    )

    def __init__(self, loop: Loop, channel: socket.socket, orders: Orders) -> None:
        channel.setblocking(False)
        self._loop, self._channel, self._orders = loop, channel, orders
        self._applied: tuple[int, int] | None = None
        self._counts: dict[tuple[str, str], model.ServedCount] = {}
        self._connections: int | None = None
        self._failures: dict[str, str] = {}
        self._in_flight: dict[str, int] = {}
        self._wakes: dict[str, None] = {}
        self._scheduled = False
        self._reported = 0

    def begin(self) -> None:
        """Listen to control from now on."""
        self._loop.add(self._channel.fileno(), self._on_event, IN | OUT | EDGE)

    # -- down

    def _on_event(self, mask: int) -> None:
        if mask & ~OUT:
            self._read()
        if mask & OUT:
            self._flush_now()

    def _read(self) -> None:
        newest = -1
        try:
            for _ in range(PACKETS):
                packet, files, _, _ = socket.recv_fds(self._channel, PACKET_BYTES, 4, socket.MSG_CMSG_CLOEXEC)
                if not packet:
                    self._loop.remove(self._channel.fileno())
                    self._orders.on_orphaned()
                    break
                newest = self._take(packet, files, newest)
            else:
                self._loop.call_soon(self._read)
        except BlockingIOError:
            pass
        except OSError as problem:
            log.error("feed.read", problem)
        if newest >= 0:
            self._unpack(newest)

    def _take(self, packet: bytes, files: list[int], newest: int) -> int:
        """Act on a packet; of several snapshots only the last one counts: gives its descriptor."""
        try:
            order = model.decode_down(packet)
        except msgspec.MsgspecError as problem:
            log.error("feed.packet", problem)
        else:
            if isinstance(order, model.Drain):
                self._orders.on_drain(order.seconds)
            elif isinstance(order, model.Report):
                self._orders.on_report(order.serial)
            elif files:
                files[0], newest = newest, files[0]
        for file in files:
            if file >= 0:
                os.close(file)
        return newest

    def _unpack(self, memory: int) -> None:
        try:
            size = os.fstat(memory).st_size
            data = os.pread(memory, size if size <= SNAPSHOT_BYTES else 0, 0)
            snapshot = model.decode_snapshot(data)
        except (OSError, msgspec.MsgspecError) as problem:
            log.error("feed.snapshot", problem)
            return
        finally:
            os.close(memory)
        self._orders.on_snapshot(snapshot)

    # -- up

    def applied(self, epoch: int, generation: int) -> None:
        """Report that a snapshot is in force."""
        self._applied = (epoch, generation)
        self._flush_now()

    def in_flight(self, instances: dict[str, int]) -> None:
        """Report what instances have in flight."""
        self._in_flight.update(instances)
        self._schedule()

    def emptied(self, instance: str, *, urgent: bool) -> None:
        """Report that nothing is in flight at an instance; urgent: it was withdrawn, and somebody waits for this."""
        self._in_flight[instance] = 0
        if urgent:
            self._loop.call_soon(self._flush_now)
        else:
            self._schedule()

    def served(self, counts: Iterable[model.ServedCount], connections: int) -> None:
        """Report counters."""
        for count in counts:
            key = (count.app, count.version)
            self._counts[key] = _joined(self._counts.get(key), count)
        self._connections = connections
        self._schedule()

    def reported(self, serial: int) -> None:
        """Say that all which was counted so far has been sent; the newest serial answers for those before it."""
        self._reported = serial
        self._flush_now()

    def wake(self, app: str) -> None:
        """Ask for an instance of an app."""
        self._wakes[app] = None
        self._loop.call_soon(self._flush_now)

    def upstream_failed(self, instance: str, reason: str) -> None:
        """Report an instance that refused a connection or broke one."""
        if instance in self._failures or len(self._failures) < FAILURES:
            self._failures[instance] = reason
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_later(COALESCE_SECONDS, self._flush_scheduled)

    def _flush_scheduled(self) -> None:
        self._scheduled = False
        self._flush_now()

    def _flush_now(self) -> None:
        """Send what there is to report, as far as control has room; more goes when it has read."""
        try:
            for fact in self._facts():
                self._channel.send(model.encode(fact))
        except OSError:  # no room, or nobody is there, which on_orphaned tells
            return

    def _facts(self) -> Iterator[model.Fact]:
        """Give the facts in their order; each is forgotten when the next one is asked for, that is when it was sent."""
        while self._failures:
            instance, reason = next(iter(self._failures.items()))
            yield model.UpstreamFailed(instance=instance, reason=reason)
            del self._failures[instance]
        while self._in_flight:
            some = dict(islice(self._in_flight.items(), INSTANCES))
            yield model.InFlight(instances=some)
            for instance in some:
                del self._in_flight[instance]
        if self._applied is not None:
            yield model.Applied(epoch=self._applied[0], generation=self._applied[1])
            self._applied = None
        while self._wakes:
            app = next(iter(self._wakes))
            yield model.WakeRequested(app=app)
            del self._wakes[app]
        while self._connections is not None:
            keys = list(islice(self._counts, COUNTS))
            yield model.Served(counts=tuple(self._counts[key] for key in keys), connections=self._connections)
            for key in keys:
                del self._counts[key]
            if not self._counts:
                self._connections = None
        if self._reported:
            yield model.Reported(serial=self._reported)
            self._reported = 0

    def finish(self) -> None:
        """Send the last facts, waiting a moment for room."""
        self._channel.settimeout(LAST_SECONDS)
        self._flush_now()

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _joined(unsent: model.ServedCount | None, newer: model.ServedCount) -> model.ServedCount:
    """Let a newer count replace one that was not sent; what is recent in it goes back to the last one sent."""
    if unsent is None or unsent.recent_wait <= newer.recent_wait:
        return newer
    return msgspec.structs.replace(newer, recent_wait=unsent.recent_wait)
