"""Control's side of the workers' channels: snapshots down, facts up, and who has let go of which instance."""

import os
import socket
from collections.abc import Callable, Iterator

import anyio
import msgspec
from anyio.abc import TaskGroup

from tako_modules.base import log
from tako_modules.model import snapshot as feed
from tako_modules.telemetry.metrics import Tally

from .link import Child

__all__ = ["Feed", "Feeds"]

PACKET = 256 << 10  # bytes of one packet of a worker
APPLY_SECONDS = 5.0  # a worker that started just now loads its code first
REFRESH_SECONDS = 0.3  # a worker answers within a turn of its loop; a busy one within some
SEND_BUFFER = 1 << 20  # bytes: snapshots travel as memfds, so this holds thousands of packets


class Feed:
    """One worker: its channel, the newest snapshot it has applied, and what it has in flight."""

    def __init__(self, child: Child, channel: socket.socket) -> None:
        self.child = child
        self.channel = channel
        self.applied = (0, 0)
        self.in_flight: dict[str, int] = {}
        self.gone = False
        self.reported = 0
        channel.setblocking(False)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    @property
    def key(self) -> str:
        """Name this worker among all that ever were."""
        return f"{self.child.pid}.{self.child.start}"

    def send(self, packet: bytes, memory: int | None = None) -> bool:
        """Send one packet; False when the worker does not read or is gone."""
        try:
            socket.send_fds(self.channel, [packet], [] if memory is None else [memory])
        except OSError:
            return False
        return True

    def packets(self) -> Iterator[feed.Fact]:
        """Give the facts that have arrived; marks the feed as gone at its end."""
        while True:
            try:
                data = self.channel.recv(PACKET)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.gone = True
                return
            try:
                yield feed.decode_fact(data)
            except msgspec.MsgspecError as problem:
                log.error("feed.packet", problem, worker=self.child.id)


class Feeds:
    """All workers; `on_fact` hears what concerns an instance or an app, `on_change` that something may be let go."""

    def __init__(self, on_fact: Callable[[feed.Fact], None], on_change: Callable[[], None]) -> None:
        self._on_fact = on_fact
        self._on_change = on_change
        self._feeds: dict[str, Feed] = {}
        self._last: tuple[bytes, int] | None = None
        self._serial = 0
        self._reported = anyio.Event()
        self._applied = anyio.Event()
        self.tally = Tally()

    def __iter__(self) -> Iterator[Feed]:
        return iter(self._feeds.values())

    def publish(self, snapshot: feed.Snapshot) -> tuple[bytes, int]:
        """Send a snapshot to all workers; gives its packet and memfd (owned here until the next one)."""
        packet = feed.encode(feed.NewSnapshot(epoch=snapshot.epoch, generation=snapshot.generation))
        memory = os.memfd_create("tako-snapshot")
        with open(os.dup(memory), "wb") as file:
            file.write(feed.encode(snapshot))
        if self._last:
            os.close(self._last[1])
        self._last = (packet, memory)
        for one in self._feeds.values():
            if not one.send(packet, memory):
                log.event("feed.behind", worker=one.child.id, generation=snapshot.generation)
        return self._last

    def add(self, one: Feed, tasks: TaskGroup) -> None:
        """Count on a worker from now on, tell it what is in force, and read its facts until it is gone."""
        self._feeds[one.key] = one  # at once: its exit may be told before its first fact is read
        if self._last:
            one.send(*self._last)
        tasks.start_soon(self._follow, one)

    async def _follow(self, one: Feed) -> None:
        while not one.gone:
            try:
                await anyio.wait_readable(one.channel)
            except anyio.ClosedResourceError:  # its exit was told first
                return
            for fact in one.packets():
                self._take(one, fact)

    def forget(self, child: Child) -> None:
        """A worker has exited: read its last words, then let go of all that it had in flight, and tell so."""
        one = self._feeds.pop(f"{child.pid}.{child.start}", None)
        if one is None:
            return
        for fact in one.packets():
            self._take(one, fact)
        self.tally.retire(one.key)
        one.gone = True
        anyio.notify_closing(one.channel)
        one.channel.close()
        if one.in_flight:  # it will never say that these have fallen
            self._on_fact(feed.InFlight(instances=dict.fromkeys(one.in_flight, 0)))
        self._on_change()

    def hear_last(self, child: Child, channel: socket.socket) -> None:
        """Read what a worker counted before it died while no control was there."""
        one = Feed(child, channel)
        for fact in one.packets():
            if isinstance(fact, feed.Served):
                self.tally.update(one.key, fact)
        channel.close()

    def _take(self, one: Feed, fact: feed.Fact) -> None:
        if isinstance(fact, feed.Applied):
            one.applied = (fact.epoch, fact.generation)
            applied, self._applied = self._applied, anyio.Event()
            applied.set()
            self._on_change()
        elif isinstance(fact, feed.InFlight):
            self._count(one, fact)
        elif isinstance(fact, feed.Served):
            self.tally.update(one.key, fact)
        elif isinstance(fact, feed.Reported):
            one.reported = fact.serial
            changed, self._reported = self._reported, anyio.Event()
            changed.set()
        self._on_fact(fact)

    def _count(self, one: Feed, fact: feed.InFlight) -> None:
        one.in_flight.update(fact.instances)
        fallen = [ident for ident, count in fact.instances.items() if count == 0]
        for ident in fallen:
            del one.in_flight[ident]
        if fallen:
            self._on_change()

    async def refresh(self) -> None:
        """Bring the tally up to this moment; a worker that does not answer soon is not waited for."""
        self._serial += 1
        serial = self._serial
        packet = feed.encode(feed.Report(serial=serial))
        asked = [one for one in self._feeds.values() if one.send(packet)]
        with anyio.move_on_after(REFRESH_SECONDS):
            while any(one.reported < serial and not one.gone for one in asked):
                await self._reported.wait()

    def in_flight(self, instance: str) -> int:
        """Tell how many requests all workers have open at an instance."""
        return sum(one.in_flight.get(instance, 0) for one in self._feeds.values())

    async def applied(self, epoch: int, generation: int) -> None:
        """Wait until every living worker works by a snapshot; one that does not answer soon is not waited for."""
        with anyio.move_on_after(APPLY_SECONDS):
            while any(one.applied < (epoch, generation) and not one.gone for one in self._feeds.values()):
                changed = self._applied
                await changed.wait()

    def look_again(self) -> None:
        """Ask who has let go: an instance was withdrawn that no snapshot in force names, so no worker will tell."""
        self._on_change()

    def let_go(self, instance: str, epoch: int, generation: int) -> bool:
        """Tell whether every living worker works without an instance and has nothing open at it."""
        return all(
            one.applied >= (epoch, generation) and not one.in_flight.get(instance, 0) for one in self._feeds.values()
        )
