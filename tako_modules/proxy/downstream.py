"""A client's connection that speaks HTTP/1.1: one exchange after the other.

The connection is in one of five states: it reads a head, forwards an exchange, has one waiting for an instance, leaves
(what still comes is thrown away so that the last answer arrives), or is a tunnel, which has taken over its stream.
A field block that equals the one before it on this connection means the same: it is checked and rewritten once.
"""

from tako_modules.http import bodies, errors, h1, headers, websocket
from tako_modules.http.errors import ProtocolError
from tako_modules.net.streams import Data, Stream
from tako_modules.net.tls import Leaf
from tako_modules.net.tls_streams import TlsStream
from tako_modules.net.wheel import FOREVER

from . import answers
from .apps import App
from .connection import Connection, State
from .context import Context
from .errors import Refused
from .forward import CLIENT_GONE
from .limits import (
    BODY_SECONDS,
    HANDSHAKE_SECONDS,
    HEAD_SECONDS,
    LINGER_BYTES,
    PIPELINE_BYTES,
)
from .origin import Origin
from .router import CHALLENGE, STATUS_ALIAS, Router, View, is_status, path_of

__all__ = ["Client"]

_OWN = (CHALLENGE, STATUS_ALIAS)  # what a path begins with that may be meant for the proxy itself
_UNKNOWN = b'"ip":"%b","host":"","ua":""'  # the log's members about what is no request


class Client(Connection):
    """One connection of a client."""

    __slots__ = ("_agents", "_authority", "_fields", "_host", "_leaf", "_seen", "_site", "_view", "router")

    def __init__(self, context: Context, router: Router, stream: Stream, origin: Origin) -> None:
        super().__init__(context, stream, origin)
        self.router = router
        self.minor = b"1"
        self.method = self.target = self.request_id = b"-"
        self.identity = _UNKNOWN % origin.peer
        self._seen = 0
        self._fields = self._host = b""
        self._agents: list[bytes] = []
        self._authority: bytes | None = None
        self._leaf: Leaf | None = None
        self._site: App | None = None  # the app of the last head's host, where the host alone decides
        self._view: View | None = None
        self.due(HANDSHAKE_SECONDS if origin.secure else HEAD_SECONDS)
        stream.start(self)

    # -- the stream's receiver

    def on_open(self) -> None:
        """Take note that the TLS handshake is done."""
        if isinstance(self.stream, TlsStream) and isinstance(self.stream.context, Leaf):
            self._leaf = self.stream.context
        self.due(HEAD_SECONDS)

    def on_data(self, data: Data) -> None:
        """Take bytes from the client."""
        state = self._state
        if state is State.READING:
            self._read_head(self._buffer + data if self._buffer else bytes(data))
        elif state is State.FORWARDING and self._body is not None:
            self._pass_on(self._body, data)
        elif state is State.LEAVING:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES:
                self.cut()
        else:
            self._buffer += data
            if len(self._buffer) > PIPELINE_BYTES:
                self.stream.pause()

    def on_eof(self) -> None:
        """Take note that the client sends no more; it may still want the answer of what it has asked."""
        if self._state is State.LEAVING or self._body is not None:
            self.stream.lost("ended early")
        elif self._state is State.READING and not self.stream.queued:
            self.stream.finish()

    def on_drained(self) -> None:
        """Take note that the client took everything: go on with what had to wait for that."""
        if self.link is not None:
            self.deadline = FOREVER if self._body is None else self.context.loop.now + BODY_SECONDS
            self.link.resume()
        elif self._state is State.READING:
            self._await_next()

    # -- a head

    def _read_head(self, data: bytes) -> None:
        try:
            end = h1.head_end(data, self._seen)
            if not end:
                self._await_rest(data)
                return
            self.method, self.target, minor, authority, line = h1.request_line(data)
            fields = data[line - 2 : end - 2]
            if fields != self._fields or minor != self.minor or authority != self._authority:
                self._learn(fields, minor, authority)
        except ProtocolError as problem:
            self._reject(problem)
            return
        context, block = self.context, self.block
        self._buffer, self._seen = data[end:], 0
        self.deadline = FOREVER
        self.request_id = context.request_id()
        self.started = context.loop.clock()
        self.waited, self.received = -1.0, 0
        self.closing = block.close or context.draining
        self._state = State.FORWARDING
        if block.length or block.chunked:
            self._body = bodies.Chunked() if block.chunked else bodies.Length(block.length)
            self.stream.want_bulk(True)
        if self._view is not self.router.view:
            self._look_up(self.router.view)
        if self._site is None or self.target.startswith(_OWN):
            self._route(self.router.view, path_of(self.target))
        elif self._body is None:
            self.begin(self._site)
        else:
            self._begin(self._site)

    def _await_rest(self, data: bytes) -> None:
        if not self._seen and data:
            self.due(HEAD_SECONDS)
        self._buffer, self._seen = data, len(data)

    def _learn(self, fields: bytes, minor: bytes, authority: bytes | None) -> None:
        """Read a field block that is another one than before."""
        self._fields = b""  # until it is known to be good
        self.minor = minor
        self.block = block = h1.request_block(fields, self.origin.edge, minor, authority)
        if block.upgrade == b"websocket":
            websocket.check_handshake(self.method, fields)
        agents = headers.find(fields, b"user-agent")
        if block.host != self._host or agents != self._agents:
            self._host, self._agents, self._view = block.host, agents, None
            agent = headers.quote(b" ".join(agents))
            self.identity = b'"ip":"%b","host":"%b","ua":"%b"' % (self.origin.peer, block.host, agent)
        if block.upgrade is None:  # whether a handshake is one hangs on the method too
            self._fields, self._authority = fields, authority

    def _look_up(self, view: View) -> None:
        """Find the app that all requests for this host go to, if there is no more to ask than the host."""
        self._view = view
        self._site = site = view.whole.get(self.block.host)
        if site is None:
            return
        if (site.https_only and not self.origin.secure) or self._misdirected():
            self._site = None

    def _misdirected(self) -> bool:
        return self._leaf is not None and not self._leaf.covers(self.block.host.decode("latin-1"))

    def _route(self, view: View, path: bytes) -> None:
        """Find who answers, all rules considered."""
        host = self.block.host
        self.app = self._count = None
        token = None if self.origin.secure else view.challenge(path)
        app = view.find(host, path)
        if self.origin.local and is_status(host, path):
            uptime = self.context.wall() - view.started_at
            self._say(*answers.status(uptime, healthy=view.healthy, close=self._last(), only_head=self._is_head()))
        elif token is not None:
            self._say(200, answers.challenge(token, close=self._last(), only_head=self._is_head()))
        elif self._misdirected():
            self.refuse(Refused.MISDIRECTED)
        elif app is None:
            self.refuse(Refused.NO_ROUTE)
        elif app.https_only and not self.origin.secure and not path.startswith(CHALLENGE):
            self.app = app
            where = view.redirect(host, self.target)
            self._say(308, answers.moved(where, close=self._last(), only_head=self._is_head()))
        else:
            self._begin(app)

    def _begin(self, app: App) -> None:
        if app.body_bytes and self.block.length > app.body_bytes:
            self.app, self._count = app, None
            self.refuse(Refused.TOO_LARGE)
        else:
            self.begin(app)

    def _reject(self, problem: ProtocolError) -> None:
        """Answer what is no request; after it nobody knows where the next one begins."""
        self.app = self._count = None
        self.closing = True
        self.started = self.context.loop.clock()
        self.waited, self.received = 0.0, 0
        self.method = self.target = b"-"
        self.identity = _UNKNOWN % self.origin.peer
        self.request_id = self.context.request_id()
        self._buffer = b"?"  # there is more that nobody will read
        self.answer(problem.status, words=problem.reason.encode())

    def read_buffered(self) -> None:
        """Go on with what is here of the next request."""
        if self._state is State.READING and self._buffer:
            self._seen = 0
            self._read_head(self._buffer)

    def too_slow(self) -> None:
        """Answer a client that does not get on with its request."""
        if self._state is State.READING:
            self._reject(ProtocolError(408, "the request's head did not come in time"))
        else:
            self._spoil(ProtocolError(408, "the request's body did not come in time"))

    # -- a body

    @property
    def uploading(self) -> bool:
        """Whether the request's body is still to come."""
        return self._body is not None

    def flow(self) -> None:
        """Pass the body on from now on, beginning with what is here already."""
        data, self._buffer = self._buffer, b""
        if data and self._body is not None:
            self._pass_on(self._body, data)
        if self._body is not None and not self.stream.paused:
            self.due(BODY_SECONDS)

    def _pass_on(self, body: bodies.Body, data: Data) -> None:
        try:
            taken = body.feed(data)
        except ProtocolError as problem:
            self._spoil(problem)
            return
        if taken < len(data):
            self._keep(bytes(data[taken:]))
            data = data[:taken]
        self.received += taken
        app, link = self.app, self.link
        if app is not None and 0 < app.body_bytes < self.received:
            self._spoil(ProtocolError(413, "the request's body is larger than this app allows"))
            return
        if body.done:
            self.stream.want_bulk(False)
            self._body = None
            self.deadline = FOREVER
        elif not self.stream.paused:
            self.deadline = self.context.loop.now + BODY_SECONDS
        if link is not None and taken and link.push(data):
            self.deadline = FOREVER  # the instance is slow now, not the client
            self.stream.pause()

    def _keep(self, data: bytes) -> None:
        """Keep what belongs to the next requests: a lot of it in small pieces, since each request moves the rest."""
        if len(data) > 2 * PIPELINE_BYTES:  # more than the buffer itself can have held
            self.stream.unread(data)
        else:
            self._buffer = data

    def on_room(self) -> None:
        """The instance takes more."""
        if self._body is not None:
            self.due(BODY_SECONDS)
        self.stream.resume()

    def _spoil(self, problem: ProtocolError) -> None:
        """Give up on a body that is broken, too large or too slow."""
        link, self.link = self.link, None
        if link is not None:
            link.abandon()
        if self.waited >= 0:
            self.record(CLIENT_GONE, 0 if link is None else link.sent)
            self.drop()
        else:
            self.answer(problem.status, words=problem.reason.encode())

    # -- answers of the proxy

    def _last(self) -> bool:
        """Settle whether the answer that is written now is the last one: always when nobody reads the body."""
        self.closing = self.closing or self._body is not None
        return self.closing

    def _is_head(self) -> bool:
        return self.method == b"HEAD"

    def answer(self, status: int, *, words: bytes = b"") -> None:
        """Refuse in the proxy's own words."""
        page = errors.page(status, reason=words, request_id=self.request_id, close=self._last(), head=self._is_head())
        self._say(status, page)

    def _say(self, status: int, data: bytes) -> None:
        self.status = status
        self.send(data)
        self.record(status, 0)
        self.done()
