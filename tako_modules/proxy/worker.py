"""One worker: it accepts once it has a snapshot, works by the newest one, and leaves without losing a request."""

import socket
from collections.abc import Callable
from pathlib import Path

from tako_modules.base import log
from tako_modules.model.snapshot import ServedCount, Snapshot
from tako_modules.net import tls
from tako_modules.net.listeners import Acceptor, Peer, peer_text
from tako_modules.net.loop import Loop
from tako_modules.net.streams import Stream
from tako_modules.net.tls_streams import Shaker, TlsStream

from .access import AccessLog
from .apps import Roster
from .context import Context
from .downstream import Client
from .feed import Feed
from .limits import DRAIN_SECONDS, TUNNEL_CLOSE_SECONDS
from .origin import Origin
from .router import Router, View

__all__ = ["SECURE", "Listener", "Worker"]

SECURE = "https"  # listeners of this name speak TLS
REPORT_SECONDS = 1.0
# What accepted connections inherit from their listener (Linux does; once here is cheaper than once per connection).
_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),  # a dead peer is found in two minutes
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)


Listener = tuple[str, socket.socket]


class Worker:
    """A worker's parts and its life: waiting for a snapshot, serving, draining, done."""

    def __init__(
        self,
        loop: Loop,
        channel: socket.socket,
        listeners: list[Listener],
        access: Path | None = None,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """channel: to control; listeners: name and socket, shared with other workers.

        access: the access log's file; on_ready: hears that the first snapshot is in force.
        """
        self.loop = loop
        self.feed = Feed(loop, channel, self)
        self.context = Context(loop, AccessLog(loop, access), self.feed)
        self.roster = Roster(self.context)
        self.router = Router(View(Snapshot(epoch=0, generation=0), {}))
        self._on_ready = on_ready
        self._applied = (0, 0)
        self._connections = -1
        self._shaker = Shaker(tls.listening_context(self.router.leaf))
        self._acceptors = [self._acceptor(name, sock) for name, sock in listeners]

    def _acceptor(self, name: str, sock: socket.socket) -> Acceptor:
        for level, option, value in _OPTIONS:
            sock.setsockopt(level, option, value)
        secure, port = name == SECURE, int(sock.getsockname()[1])
        return Acceptor(
            self.loop,
            sock,
            lambda client, peer: self._open(client, peer, port=port, secure=secure),
            lambda: self.shaking > 0,
            self.context.shed,
        )

    @property
    def shaking(self) -> int:
        """How many TLS handshakes are under way."""
        return self._shaker.pending

    def begin(self) -> None:
        """Listen to control, and report once a second from now on."""
        self.feed.begin()
        self.loop.call_later(REPORT_SECONDS, self._tick)

    def run(self) -> None:
        """Work until there is an order to leave and everything is done."""
        self.begin()
        self.loop.run()
        self._report()
        self.context.access.flush()
        self.context.access.close()
        self.feed.finish()

    def close(self) -> None:
        """Let go of all descriptors."""
        for guest in list(self.context.guests):
            guest.cut()
        for instance in self.roster.instances.values():
            instance.withdraw()
        for acceptor in self._acceptors:
            acceptor.close()
        self.loop.close()
        self.feed.close()

    def _open(self, sock: socket.socket, peer: Peer, *, port: int, secure: bool) -> None:
        stream = TlsStream(self.loop, sock, self._shaker) if secure else Stream(self.loop, sock, served=True)
        Client(self.context, self.router, stream, Origin(peer_text(peer), port, secure=secure))

    # -- what control says

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Work by this snapshot from now on, unless it is older than the one in force."""
        number = (snapshot.epoch, snapshot.generation)
        if number < self._applied:
            return
        if number > self._applied:
            first = self._applied == (0, 0)
            self._apply(snapshot)
            if snapshot.epoch != self._applied[0]:  # a control that knows nothing of what the former one was told
                self.context.counters.repeat()
                self.feed.in_flight(dict(self.roster.busy()))
            self._applied = number
            if first:
                self._begin()
        self.feed.applied(*number)

    def _apply(self, snapshot: Snapshot) -> None:
        withdrawn = self.roster.apply(snapshot)
        self.router.view = view = View(snapshot, self.roster.apps, self.router.view)
        for problem in view.problems:
            log.event("snapshot.problem", problem=problem, epoch=snapshot.epoch, generation=snapshot.generation)
        self.feed.in_flight({one.id: one.in_flight for one in withdrawn})
        for app in self.roster.apps.values():
            app.settle_queue()

    def _begin(self) -> None:
        if self._on_ready is not None:
            self._on_ready()
        if not self.context.draining:
            for acceptor in self._acceptors:
                acceptor.begin()

    def on_drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Leave: no new connections; open ones get their answers and are closed; what is left then is cut."""
        self.loop.call_later(max(0.0, seconds - TUNNEL_CLOSE_SECONDS), self._dismiss_tunnels)
        self.loop.call_later(seconds, self._cut)  # of several orders the shortest counts
        context = self.context
        if context.draining:
            return
        for acceptor in self._acceptors:
            acceptor.leave()
        context.draining = True
        context.on_empty = self.loop.stop
        for guest in list(context.guests):
            guest.bow_out()
        if not context.guests:
            self.loop.stop()

    def on_report(self, serial: int) -> None:
        """Tell control the numbers of this moment."""
        self._report()
        self.feed.reported(serial)

    def on_orphaned(self) -> None:
        """Nobody holds the other end any more: there will be no snapshot and no order, so this is one."""
        self.on_drain()

    def _dismiss_tunnels(self) -> None:
        for guest in list(self.context.guests):
            guest.part()

    def _cut(self) -> None:
        for guest in list(self.context.guests):
            guest.cut()
        self.loop.stop()

    # -- what control hears

    def _tick(self) -> None:
        self.loop.call_later(REPORT_SECONDS, self._tick)
        self._report()

    def _report(self) -> None:
        if busy := dict(self.roster.busy()):
            self.feed.in_flight(busy)
        for app in self.roster.waiting():
            if not app.instances:
                self.feed.wake(app.id)
        counts: list[ServedCount] = list(self.context.counters.changed())
        connections = len(self.context.guests)
        if counts or connections != self._connections:
            self._connections = connections
            self.feed.served(counts, connections)
