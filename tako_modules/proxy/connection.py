"""The life of a client's connection, whatever it speaks: what it is doing, what it waits for, and how it ends."""

from abc import abstractmethod
from enum import Enum, auto

from tako_modules.http import bodies
from tako_modules.net.streams import MARK, Stream
from tako_modules.net.wheel import FOREVER, NEVER

from .context import Context
from .forward import Exchange
from .limits import DRAIN_IDLE_SECONDS, IDLE_SECONDS, LINGER_SECONDS, WRITE_SECONDS
from .origin import Origin
from .tunnel import Tunnel

__all__ = ["Connection", "State"]


class State(Enum):
    """What a connection is doing."""

    READING = auto()
    FORWARDING = auto()
    HELD = auto()
    LEAVING = auto()
    TUNNEL = auto()


class Connection(Exchange):
    """A connection with its stream and its deadline; how requests are read is another class's."""

    __slots__ = (
        "_body",
        "_buffer",
        "_discarded",
        "_flushed",
        "_state",
        "_tunnel",
        "deadline",
        "origin",
        "slot",
        "stream",
    )

    def __init__(self, context: Context, stream: Stream, origin: Origin) -> None:
        self.context, self.stream, self.origin = context, stream, origin
        self.app = self.link = None
        self.closing = False
        self.received = 0
        self.waited = -1.0
        self.send = stream.send
        self._count = self._pieces = self._instance = None
        self._body: bodies.Body | None = None
        self._tunnel: Tunnel | None = None
        self._buffer, self._flushed, self._discarded = b"", 0, 0
        self._state = State.READING
        self.deadline, self.slot = FOREVER, NEVER
        context.guests.add(self)

    @abstractmethod
    def read_buffered(self) -> None:
        """Go on with what is here of the next request."""

    @abstractmethod
    def too_slow(self) -> None:
        """Answer a client that does not get on with its request."""

    def due(self, seconds: float) -> None:
        """Set the deadline of what is waited for now."""
        self.deadline = self.context.loop.now + seconds
        if self.deadline < self.slot - 1:
            self.context.loop.wheel.watch(self)

    def on_lost(self, reason: str) -> None:
        """Take note that the connection is gone."""
        if self._state in (State.FORWARDING, State.HELD):
            self.abandon()
        self._gone()

    def expired(self) -> None:
        """Give up waiting, unless there was progress."""
        stream = self.stream
        if stream.queued and stream.flushed != self._flushed:
            self._flushed = stream.flushed
            self.due(WRITE_SECONDS)
        elif stream.queued or self._state is State.LEAVING:
            stream.lost("too slow")
        elif self._state is State.HELD:
            self.overdue()
        elif self._state is State.READING and not self._buffer.strip(b"\r\n"):
            self.due(WRITE_SECONDS)  # for the notice of the end, which may have to wait in the queue
            stream.finish()
        elif self._state is State.READING or (self._body is not None and not stream.paused):
            self.too_slow()

    def broken(self) -> None:
        """Give up: a method raised."""
        if self._state in (State.FORWARDING, State.HELD) and self._count is not None:
            self._count.failed += 1
        self.stream.lost("internal error")

    # -- waiting

    @property
    def burden(self) -> int:
        """Bytes of the request that are kept in memory."""
        return len(self._buffer) + len(self.block.forward_b) + len(self.target)

    def hold(self, seconds: float) -> None:
        """Take nothing more until there is an instance, or for that long."""
        self._state = State.HELD
        self.stream.pause()
        self.due(seconds)

    def resumed(self) -> None:
        """The waiting is over."""
        self._state = State.FORWARDING
        self.deadline = FOREVER
        self.stream.resume()

    # -- the end of an exchange

    def stalled(self) -> None:
        """The client is slow: from now on it has to take something in time."""
        self._flushed = self.stream.flushed
        self.due(WRITE_SECONDS)

    def done(self) -> None:
        """The exchange is over and the answer is whole: go on with the next one, or leave."""
        stream = self.stream
        if self.closing or self._body is not None or (stream.ended and not self._buffer):
            self._leave()
            return
        self._state = State.READING
        if self._buffer or stream.queued or stream.paused or self.context.draining:
            self._await_next()
        else:
            self.due(IDLE_SECONDS)

    def _await_next(self) -> None:
        """Wait for the next request, or go on with the one that is here, unless the client has yet to take answers."""
        stream = self.stream
        if stream.queued > MARK:
            stream.pause()
            self.due(WRITE_SECONDS)
        elif stream.ended and not self._buffer:
            self._leave()
        else:
            self.due(DRAIN_IDLE_SECONDS if self.context.draining else IDLE_SECONDS)
            stream.resume()
            if self._buffer:
                self.context.loop.call_soon(self.read_buffered)

    def _leave(self) -> None:
        """Close once the last answer is out; first wait for a client that is still sending, or it may not see that."""
        self._state = State.LEAVING
        stream = self.stream
        if (self._body is not None or self._buffer) and not stream.ended:
            self._body, self._buffer, self._discarded = None, b"", 0
            self.due(WRITE_SECONDS if stream.queued else LINGER_SECONDS)
            stream.shut()
            stream.resume()
        else:
            self.due(WRITE_SECONDS)
            stream.finish()

    def drop(self) -> None:
        """End so that the client cannot take the answer for whole."""
        self._state = State.LEAVING
        self.stream.reset()
        self._gone()

    @property
    def idle(self) -> bool:
        """Whether it has been answered and has not asked again; it may be closed at any time (RFC 9112 9.5)."""
        return self._state is State.READING and self.waited >= 0 and not (self._buffer or self.stream.queued)

    def bow_out(self) -> None:
        """Make the next answer the last one; wait for the next request a little only."""
        if self._state is State.READING:
            self.due(DRAIN_IDLE_SECONDS)
        elif self.waited < 0:
            self.closing = True

    def part(self) -> None:
        """Say goodbye, if this is a tunnel."""
        if self._tunnel is not None:
            self._tunnel.bow_out()

    def cut(self) -> None:
        """End now, whatever is under way."""
        if self._tunnel is not None:
            self._tunnel.cut()
        elif self._state is State.FORWARDING or self._state is State.HELD:
            if self._count is not None:
                self._count.failed += 1
            self.abandon()
            self.drop()
        elif not self.stream.closed:
            self.stream.close()
            self._gone()

    def _gone(self) -> None:
        self.context.loop.wheel.forget(self)
        self.context.left(self)

    # -- a tunnel

    def upgraded(self, head: bytes, rest: bytes) -> None:
        """Both connections are a tunnel from now on."""
        link, instance = self.link, self._instance
        assert link is not None
        assert instance is not None
        self._state = State.TUNNEL
        self.waited = self.context.loop.clock() - self.started
        self.deadline = FOREVER
        self.context.loop.wheel.forget(self)
        self._tunnel = tunnel = Tunnel(
            self.context.loop, self.stream, link.stream, self._untie, is_websocket=self.wants == b"websocket"
        )
        instance.tunnels.add(tunnel)
        self.send(head)
        tunnel.begin(self._buffer, rest)

    def _untie(self, received: int, sent: int) -> None:
        """The tunnel is over."""
        tunnel, self._tunnel = self._tunnel, None
        instance = self._instance
        assert instance is not None
        self.link = None
        if tunnel is not None:
            instance.tunnels.discard(tunnel)
        instance.release()
        self.received = received
        self.record(101, sent)
        self._gone()
