"""The two halves of an edge as far as bytes go: pieces of a stream in, what is passed on and the verdict out."""

from collections.abc import Iterable

from tako_modules.http import bodies, h1
from tako_modules.http.errors import ProtocolError

EDGE = h1.Edge(b"192.0.2.7", b"https", b"443")


class RequestReader:
    """Reads requests from a client's stream and collects what the upstream would get."""

    def __init__(self) -> None:
        self.out = b""
        self.blocks: list[h1.RequestBlock] = []
        self._buffer = b""
        self._seen = 0
        self._body: bodies.Body | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises ProtocolError."""
        self._buffer += data
        while self._buffer and (self._pass_body() if self._body else self._pass_head()):
            pass

    def waiting(self) -> bool:
        """Tell whether the stream ended within a request."""
        return bool(self._buffer) or self._body is not None

    def _pass_head(self) -> bool:
        end = h1.head_end(self._buffer, self._seen)
        if not end:
            self._seen = len(self._buffer)
            return False
        method, target, minor, authority, line = h1.request_line(self._buffer)
        block = h1.request_block(self._buffer[line - 2 : end - 2], EDGE, minor, authority)
        self._buffer, self._seen = self._buffer[end:], 0
        self.blocks.append(block)
        self.out += method + b" " + target + b" HTTP/1.1\r\n" + block.forward_a + b"r1" + block.forward_b
        if block.chunked:
            self._body = bodies.Chunked()
        elif block.length:
            self._body = bodies.Length(block.length)
        return True

    def _pass_body(self) -> bool:
        assert self._body is not None
        taken = self._body.feed(self._buffer)
        self.out += self._buffer[:taken]
        self._buffer = self._buffer[taken:]
        if self._body.done:
            self._body = None
        return True


class ResponseReader:
    """Reads the responses to one request from an upstream's stream and collects what an HTTP/1.1 client would get."""

    def __init__(self, method: bytes) -> None:
        self.out = b""
        self.heads: list[h1.ResponseHead] = []
        self._method = method
        self._buffer = b""
        self._seen = 0
        self._body: bodies.Body | None = None
        self._unmeasured = b""  # a body until close: encoded as one chunk at the end, so that cuts do not show

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises ProtocolError."""
        self._buffer += data
        while self._buffer and (self._pass_body() if self._body else self._pass_head()):
            pass

    def finish(self) -> None:
        """Take the end of the stream; raises ProtocolError when it cuts a body."""
        if self._body is None:
            return
        self._body.finish()
        self.out += bodies.encode_chunk(self._unmeasured) + bodies.LAST_CHUNK

    def waiting(self) -> bool:
        """Tell whether the stream ended within a head."""
        return bool(self._buffer)

    def _pass_head(self) -> bool:
        end = h1.response_end(self._buffer, self._seen)
        if not end:
            self._seen = len(self._buffer)
            return False
        head = h1.response_head(self._buffer[:end])
        kind = h1.body_kind(head, self._method)
        self._buffer, self._seen = self._buffer[end:], 0
        self.heads.append(head)
        self.out += head.for_client(kind, b"1", close=False)
        if kind is h1.BodyKind.CHUNKED:
            self._body = bodies.Chunked(502)
        elif kind is h1.BodyKind.LENGTH:
            self._body = bodies.Length(head.length or 0, 502)
        elif kind is h1.BodyKind.UNTIL_CLOSE:
            self._body = bodies.UntilClose()
        return True

    def _pass_body(self) -> bool:
        assert self._body is not None
        taken = self._body.feed(self._buffer)
        if isinstance(self._body, bodies.UntilClose):
            self._unmeasured += self._buffer[:taken]
        else:
            self.out += self._buffer[:taken]
        self._buffer = self._buffer[taken:]
        if self._body.done:
            self._body = None
        return True


def read_requests(pieces: Iterable[bytes]) -> tuple[str, bytes]:
    """Play a client's stream: the verdict, and what went upstream before it."""
    reader = RequestReader()
    try:
        for piece in pieces:
            reader.feed(piece)
    except ProtocolError as error:
        return str(error.status), reader.out
    return "waits" if reader.waiting() else "forwards", reader.out


def read_responses(pieces: Iterable[bytes], method: bytes = b"GET") -> tuple[str, bytes]:
    """Play an upstream's stream to its end: the verdict, and what an HTTP/1.1 client got before it."""
    reader = ResponseReader(method)
    try:
        for piece in pieces:
            reader.feed(piece)
        if reader.waiting():
            return "waits", reader.out
        reader.finish()
    except ProtocolError as error:
        return str(error.status), reader.out
    return "forwards", reader.out


def split(wire: bytes, size: int) -> list[bytes]:
    """Cut a stream into pieces of one size."""
    return [wire[start : start + size] for start in range(0, len(wire), size)]
