"""One connection to an instance: the upstream half of an exchange."""

from enum import Enum, auto
from typing import Protocol

from tako_modules.http import bodies, h1
from tako_modules.http.errors import ProtocolError
from tako_modules.net import streams
from tako_modules.net.wheel import FOREVER, NEVER

from .asker import Asker
from .context import Context
from .errors import Failure, Refused
from .limits import (
    CONNECT_SECONDS,
    RESPONSE_SECONDS,
    UPSTREAM_IDLE_SECONDS,
    WRITE_SECONDS,
)

__all__ = ["Home", "Link"]


class Home(Protocol):
    """The instance that a link belongs to."""

    id: str
    host: str
    port: int
    first_byte: float

    def release(self) -> None:
        """Count one less in flight."""

    def keep(self, link: "Link", /) -> bool:
        """Take back a connection that can be used again, unless nobody will."""

    def forget(self, link: "Link", /) -> None:
        """Take a connection that is being closed out of the pool."""


class _Way(Enum):
    """How a body that comes from the upstream goes on to the client."""

    AS_IS = auto()
    DECODED = auto()  # chunks for a client that speaks HTTP/1.0
    CHUNKED = auto()  # a body until close for a client that keeps its connection


_NO_HEAD = b"\0"  # what no answer begins with


class Link:
    """One connection to an instance; idle, or at work for one asker.

    A head that equals the one before it on this connection has been read before: its meaning is kept.
    """

    __slots__ = (
        "_asker",
        "_body",
        "_buffer",
        "_flushed",
        "_head",
        "_kind",
        "_meaning",
        "_seen",
        "_sent",
        "_way",
        "context",
        "deadline",
        "idle_since",
        "instance",
        "reused",
        "slot",
        "stream",
    )

    def __init__(self, context: Context, instance: Home) -> None:
        self.context, self.instance = context, instance
        self._asker: Asker | None = None
        self._body: bodies.Body | None = None
        self._buffer, self._seen, self._sent, self._flushed = b"", 0, 0, 0
        self._head, self._kind = _NO_HEAD, h1.BodyKind.NONE
        self._way = _Way.AS_IS
        self.idle_since = context.loop.now
        self.reused = False
        self.deadline, self.slot = FOREVER, NEVER
        self.stream = streams.connect(context.loop, instance.host, instance.port)
        self.stream.start(self)

    # -- asking

    def ask(self, asker: Asker, pieces: list[bytes]) -> None:
        """Send a request, or what is there of it, for an asker that hears about everything from now on."""
        self._asker = asker
        self._sent = 0
        for piece in pieces:
            self.stream.send(piece)
        self.due(CONNECT_SECONDS if self.stream.connecting else self.instance.first_byte)

    def push(self, data: streams.Data) -> bool:
        """Send more of the request's body; true when the client should pause."""
        if not self.stream.send(data):
            if self._body is None and not self.stream.connecting:
                self.due(self.instance.first_byte)
            return False
        if not self.stream.connecting:
            self.due(WRITE_SECONDS)
        return True

    def resume(self) -> None:
        """The client takes more: go on reading."""
        self.stream.resume()
        self.due(self.instance.first_byte if self._body is None else RESPONSE_SECONDS)

    def due(self, seconds: float) -> None:
        """Set the deadline of what is waited for now."""
        self.deadline = self.context.loop.now + seconds
        if self.deadline < self.slot - 1:
            self.context.loop.wheel.watch(self)

    # -- the stream's receiver

    def on_open(self) -> None:
        """Take note that the instance has taken the connection."""
        self.due(self.instance.first_byte)

    def on_drained(self) -> None:
        """Take note that the instance took all of the body that was queued."""
        if self._asker is not None:
            if self._body is None:
                self.due(self.instance.first_byte)
            self._asker.on_room()

    def on_data(self, data: streams.Data) -> None:
        """Take bytes of an answer; without a question they are no answer, and the connection is of no use."""
        if self._asker is None:
            self.close()
        elif self._body is not None:
            self._pass_on(self._asker, self._body, data)
        else:
            whole = self._buffer + data if self._buffer else bytes(data)
            if whole.startswith(self._head):
                self._buffer, self._seen = b"", 0
                self._answer(self._asker, self._meaning, whole, len(self._head))
            else:
                self._read_head(self._asker, whole)

    def on_eof(self) -> None:
        """Take note that the instance sends no more: the end of a body that ends so, else a failure."""
        asker, body = self._asker, self._body
        if asker is None:
            self.close()
        elif isinstance(body, bodies.UntilClose):
            if self._way is _Way.CHUNKED:
                asker.send(bodies.LAST_CHUNK)
            self._complete(asker, keep=False)
        else:
            self._fail(Refused.DIED, "closed the connection")

    def on_lost(self, reason: str) -> None:
        """Take note that the connection is gone."""
        if self._asker is None:
            self.close()
        else:
            self._fail(Refused.UNREACHABLE if self.stream.connecting else Refused.DIED, reason)

    def expired(self) -> None:
        """Give up waiting, unless there was progress."""
        stream = self.stream
        if self._asker is None:
            self.close()
        elif stream.connecting:
            self._fail(Refused.UNREACHABLE, "connecting took too long")
        elif stream.queued and stream.flushed != self._flushed:
            self._flushed = stream.flushed
            self.due(WRITE_SECONDS)
        elif not stream.paused:
            self._fail(Refused.LATE, "took too long")

    def broken(self) -> None:
        """Give up: a method raised."""
        self.on_lost("internal error")

    # -- the answer

    def _read_head(self, asker: Asker, data: bytes) -> None:
        try:
            end = h1.response_end(data, self._seen)
            while end:
                head = data[:end]
                if head == self._head:
                    break
                meaning = h1.response_head(head)
                if meaning.status >= 200:
                    self._head, self._meaning, self._kind = head, meaning, h1.body_kind(meaning, b"GET")
                    break
                data = data[end:]
                self.reused = False
                if not self._interim(asker, meaning, data):
                    return
                end = h1.response_end(data)
        except ProtocolError as problem:
            self._fail(Refused.BROKEN, problem.reason)
            return
        if end:
            self._buffer, self._seen = b"", 0
            self._answer(asker, self._meaning, data, end)
        else:
            self._buffer, self._seen = data, len(data)
            self.reused = False  # it lives: what happens now does not come from its age

    def _answer(self, asker: Asker, meaning: h1.ResponseHead, data: bytes, end: int) -> None:
        """Pass on a final head and what of its body came with it: the usual small answer in one send."""
        kind = self._kind if asker.method != b"HEAD" else h1.BodyKind.NONE
        asker.on_answer(meaning.status)
        out = meaning.out
        if asker.closing or kind is h1.BodyKind.UNTIL_CLOSE or asker.minor == b"0":
            out = meaning.for_client(kind, asker.minor, asker.closing)
        size = len(data) - end
        if size == meaning.length and kind is h1.BodyKind.LENGTH:
            self._sent = size
            slow = asker.send(data if out is self._head else out + data[end:])
            self._complete(asker, keep=meaning.keep, slow=slow)
        elif kind is h1.BodyKind.NONE:
            slow = asker.send(out)
            self._complete(asker, keep=meaning.keep and not size, slow=slow)
        else:
            self._begin_body(asker, meaning, kind)
            if asker.send(out):
                self._pause(asker)
            if size and self._body is not None:
                self._pass_on(asker, self._body, memoryview(data)[end:])

    def _begin_body(self, asker: Asker, meaning: h1.ResponseHead, kind: h1.BodyKind) -> None:
        self._way = _Way.AS_IS
        if kind is h1.BodyKind.LENGTH:
            self._body = bodies.Length(meaning.length or 0, 502)
        elif kind is h1.BodyKind.CHUNKED:
            self._body = bodies.Chunked(502)
            self._way = _Way.DECODED if asker.minor == b"0" else _Way.AS_IS
        else:
            self._body = bodies.UntilClose()
            self._way = _Way.CHUNKED if asker.minor == b"1" else _Way.AS_IS
        self.due(RESPONSE_SECONDS)

    def _pass_on(self, asker: Asker, body: bodies.Body, data: streams.Data) -> None:
        pieces: bodies.Pieces | None = [] if self._way is _Way.DECODED else None
        try:
            taken = body.feed(data, pieces)
        except ProtocolError as problem:
            self._fail(Refused.BROKEN, problem.reason)
            return
        over = taken < len(data)
        out: streams.Data = data[:taken] if over else data
        if pieces is not None:
            out = b"".join(pieces)
        self._sent += len(out)
        if self._way is _Way.CHUNKED:
            out = bodies.encode_chunk(out)
        slow = asker.send(out) if len(out) else False
        if body.done:
            self._complete(asker, keep=self._meaning.keep and not over, slow=slow)
        elif slow:
            self._pause(asker)
        else:
            self.deadline = self.context.loop.now + RESPONSE_SECONDS

    def _pause(self, asker: Asker) -> None:
        self.deadline = FOREVER  # the client's own deadline counts now
        self.stream.pause()
        asker.stalled()

    def _interim(self, asker: Asker, meaning: h1.ResponseHead, rest: bytes) -> bool:
        """Pass on a 1xx, any number of which may precede the answer; false when there is no answer to come."""
        if meaning.status != 101:
            if asker.minor == b"1" and asker.send(meaning.out):
                self._pause(asker)
            return True
        if meaning.upgrade is None or meaning.upgrade != asker.wants:
            self._fail(Refused.BROKEN, "changed the protocol unasked")
        else:
            self._asker = None
            self.context.loop.wheel.forget(self)
            asker.upgraded(meaning.out, rest)
        return False

    # -- ending

    def _complete(self, asker: Asker, *, keep: bool, slow: bool = False) -> None:
        """The answer is whole: make room for the next question before the client can ask it."""
        keep = keep and not (asker.uploading or self.stream.ended or self.stream.queued)
        self._asker = self._body = None
        instance = self.instance
        if keep and instance.keep(self):
            self.reused = True
            self.idle_since = self.context.loop.now
            if self.stream.paused:
                self.stream.resume()
            self.due(UPSTREAM_IDLE_SECONDS)
        else:
            self.close()
        instance.release()
        if slow:
            asker.stalled()
        asker.complete(self._sent)

    def _fail(self, refused: Refused, reason: str) -> None:
        """Tell the asker, who decides whether another link may try."""
        asker, begun = self._asker, self._body is not None
        unsent = self.stream.unsent() if self.stream.connecting else None
        self._asker = self._body = None
        self.close()
        self.instance.release()
        if asker is None:
            return
        if begun:
            asker.cut_short(reason, self._sent)
        else:
            asker.failed(Failure(refused, reason, unsent))

    def abandon(self) -> None:
        """The client is gone: end the exchange, and the connection, whose answer nobody wants."""
        if self._asker is not None:
            self._asker = self._body = None
            self.close()
            self.instance.release()

    @property
    def sent(self) -> int:
        """Bytes of the answer's body that went on to the client."""
        return self._sent

    def close(self) -> None:
        """Close the connection and leave the pool."""
        self.instance.forget(self)
        self.context.loop.wheel.forget(self)
        self.stream.close()
