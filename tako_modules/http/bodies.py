"""Where a body ends, while it passes through untouched (RFC 9112 6 and 7).

The three kinds have one set of methods. feed(data) returns how many bytes of `data` belong to the body: pass exactly
these on; the rest belongs to the next message. `done` tells that the body is complete. finish() is for the end of the
stream. With `pieces`, the payload without any chunk framing is appended to that list as slices of `data`: what clients
of HTTP/1.0 need. Slices of a shared buffer are good until that buffer is filled again.
"""

import re
from typing import Protocol

from . import headers
from .errors import ProtocolError

__all__ = [
    "CHUNK_LINE_LIMIT",
    "CHUNK_OVERHEAD_LIMIT",
    "LAST_CHUNK",
    "TRAILERS_LIMIT",
    "Body",
    "Chunked",
    "Data",
    "Length",
    "Pieces",
    "UntilClose",
    "encode_chunk",
]

Data = bytes | bytearray | memoryview
Pieces = list[Data]

CHUNK_LINE_LIMIT = 512  # size and extensions of one chunk; extensions in use are signatures of some 80 bytes
CHUNK_OVERHEAD_LIMIT = 16 << 10  # framing beyond what honest chunks need, see Chunked
TRAILERS_LIMIT = 8 << 10  # all trailer fields together: half of a head
LAST_CHUNK = b"0\r\n\r\n"

# A size has 15 digits at most, so that it fits 64 bits wherever it is read next. Extensions: RFC 9112 7.1.1, any text
# but CR and LF, which two readers could take for different things. What is begun must be able to become a whole line.
_HEX = rb"[0-9A-Fa-f]{1,15}+"
_EXTENSION = rb"(?:[ \t]*+;" + headers.VALUE + rb")?"
_SIZE = rb"(" + _HEX + rb")" + _EXTENSION + rb"\r\n"
_SIZE_BEGUN = rb"(?:" + _HEX + rb"(?:[ \t]*+|" + _EXTENSION + rb"\r?))?"
_FIRST, _FIRST_BEGUN = re.compile(_SIZE), re.compile(_SIZE_BEGUN)
_NEXT, _NEXT_BEGUN = re.compile(rb"\r\n" + _SIZE), re.compile(rb"\r?|\r\n" + _SIZE_BEGUN)
_TRAILER = re.compile(rb"(?:(" + headers.NAME + rb"):" + headers.VALUE + rb")?\r\n")
_TRAILER_BEGUN = re.compile(rb"(?:" + headers.NAME + rb"(?::" + headers.VALUE + rb"\r?)?)?|\r")
# An app that merges trailers into its fields must not hear of framing, routing or its client's address this way
# (RFC 9110 6.5.1).
_FORBIDDEN_TRAILER = re.compile(rb"(?i:" + headers.REQUEST_NAMES + rb")")


class Body(Protocol):
    """What Length, Chunked and UntilClose have in common."""

    done: bool

    def feed(self, data: Data, pieces: Pieces | None = None) -> int:
        """Take the next bytes of the stream and tell how many of them belong to the body."""

    def finish(self) -> None:
        """Take note of the end of the stream; raises ProtocolError when the body is not complete."""


class Length:
    """A body of `left` more bytes."""

    __slots__ = ("done", "left", "status")

    def __init__(self, left: int, status: int = 400) -> None:
        """status: what an unfinished body is answered with: 400 from a client, 502 from an upstream."""
        self.left = left
        self.done = left == 0
        self.status = status

    def feed(self, data: Data, pieces: Pieces | None = None) -> int:
        """Take the next bytes of the stream and tell how many of them belong to the body."""
        size = min(len(data), self.left)
        self.left -= size
        self.done = self.left == 0
        if pieces is not None and size:
            pieces.append(data[:size])
        return size

    def finish(self) -> None:
        """Take note of the end of the stream; raises ProtocolError when the body is not complete."""
        if not self.done:
            raise ProtocolError(self.status, f"body ended {self.left} bytes early")


class UntilClose:
    """A body that ends with the stream."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: Data, pieces: Pieces | None = None) -> int:
        """Take the next bytes of the stream: all belong to the body."""
        if pieces is not None and len(data):
            pieces.append(data)
        return len(data)

    def finish(self) -> None:
        """Take note of the end of the stream, which completes the body."""
        self.done = True


class Chunked:
    """A chunked body, checked byte by byte and passed on as it is.

    The framing may take 16 bytes for each chunk and two for each byte of data; what goes beyond adds up to at most
    CHUNK_OVERHEAD_LIMIT, so that nobody moves gigabytes of extensions for a few bytes of body.
    """

    __slots__ = ("_begun", "_excess", "_line", "_tail", "_trailers", "done", "left", "status")

    def __init__(self, status: int = 400) -> None:
        """status: what broken framing is answered with: 400 from a client, 502 from an upstream."""
        self.status = status
        self.done = False
        self.left = 0  # bytes of the current chunk that are still to come
        self._line, self._begun = _FIRST, _FIRST_BEGUN  # the line that comes next, whole and in part
        self._tail = b""  # the part of it that came with earlier feeds
        self._excess = self._trailers = 0

    def feed(self, data: Data, pieces: Pieces | None = None) -> int:
        """Take the next bytes of the stream and tell how many of them belong to the body; raises ProtocolError."""
        position, size = 0, len(data)
        while position < size and not self.done:
            if self.left:
                end = min(position + self.left, size)
                if pieces is not None:
                    pieces.append(data[position:end])
                self.left -= end - position
                position = end
            elif self._tail:
                position = self._resume(data)
            elif match := self._line.match(data, position):
                position = match.end()
                self._take(match[1], position - match.start())
            else:
                self._keep(bytes(data[position : position + TRAILERS_LIMIT + 1]))
                position = size
        return position

    def finish(self) -> None:
        """Take note of the end of the stream; raises ProtocolError when the body is not complete."""
        if not self.done:
            raise ProtocolError(self.status, "chunked body ended early")

    def _resume(self, data: Data) -> int:
        """Go on with a begun line: the offset behind it in `data`, all of `data` when it is still not whole."""
        tail = self._tail
        line = tail + bytes(data[: TRAILERS_LIMIT + 1])
        match = self._line.match(line)
        if match is None:
            self._keep(line)
            return len(data)
        self._tail = b""
        self._take(match[1], match.end())
        return match.end() - len(tail)

    def _keep(self, line: bytes) -> None:
        """Remember a line that is not whole yet, if it can still become one within the limits."""
        limit = TRAILERS_LIMIT - self._trailers if self._line is _TRAILER else CHUNK_LINE_LIMIT
        if len(line) > limit or not self._begun.fullmatch(line):
            raise ProtocolError(self.status, "malformed chunk")
        self._tail = line

    def _take(self, word: bytes | None, length: int) -> None:
        """Act on a whole line of `length` bytes; `word`: a chunk's size, a trailer's name, None for the end."""
        if self._line is _TRAILER:
            self._trailers += length
            if word is None:
                self.done = True
            elif self._trailers > TRAILERS_LIMIT or _FORBIDDEN_TRAILER.fullmatch(word):
                raise ProtocolError(self.status, "trailer fields too large or not allowed")
            return
        self.left = int(word or b"0", 16)
        self._excess = max(0, self._excess + length - 16 - 2 * self.left)
        if length > CHUNK_LINE_LIMIT or self._excess > CHUNK_OVERHEAD_LIMIT:
            raise ProtocolError(self.status, "too much chunk framing")
        self._line, self._begun = (_NEXT, _NEXT_BEGUN) if self.left else (_TRAILER, _TRAILER_BEGUN)


def encode_chunk(data: Data) -> bytes:
    """Frame one piece of a body that is sent chunked; nothing for nothing, since an empty chunk would end the body."""
    return b"".join((b"%x\r\n" % len(data), data, b"\r\n")) if len(data) else b""
