"""Lines and frames of the management socket, without any I/O.

A line is one JSON object and a newline; a frame of an upload is its length (u32, big-endian) and that many bytes, and a
length of 0 ends the upload. Both are bounded while they are being read.
"""

import struct

from .errors import FrameError

__all__ = ["FRAME_LIMIT", "LINE_LIMIT", "FrameDecoder", "LineDecoder", "encode_frame"]

LINE_LIMIT = 1 << 20  # a management message larger than this is a mistake or an attack
FRAME_LIMIT = 256 << 10  # one piece of an upload: small enough that other messages are not kept waiting
_LENGTH = struct.Struct("!I")


class LineDecoder:
    """Bytes in, whole lines out; what is incomplete waits for the next feed()."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # bytes at the start of the buffer that hold no newline: each is looked at once

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer; raises FrameError when the line that is being read grows over LINE_LIMIT."""
        self._buffer += data
        if len(self._buffer) > LINE_LIMIT and self._end() < 0:
            raise FrameError(f"a line is longer than {LINE_LIMIT} bytes")

    def line(self) -> bytes | None:
        """Give the next whole line without its newline, or None when more bytes are needed; raises as feed does."""
        end = self._end()
        if end < 0:
            return None
        if end > LINE_LIMIT:
            raise FrameError(f"a line is longer than {LINE_LIMIT} bytes")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def rest(self) -> bytes:
        """Give what follows the last line and forget it: an upload's frames may have come with the line."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return rest

    def _end(self) -> int:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
        return end


class FrameDecoder:
    """Bytes in, frames out; `done` after the frame of length 0."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.done = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and give the whole frames; raises FrameError when one is longer than FRAME_LIMIT."""
        self._buffer += data
        frames = []
        while not self.done and len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > FRAME_LIMIT:
                raise FrameError(f"a frame is longer than {FRAME_LIMIT} bytes")
            if len(self._buffer) < _LENGTH.size + length:
                break
            frames.append(bytes(self._buffer[_LENGTH.size : _LENGTH.size + length]))
            del self._buffer[: _LENGTH.size + length]
            self.done = length == 0
        return [frame for frame in frames if frame]

    def rest(self) -> bytes:
        """Give what follows the last frame: the next line may have come with it."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


def encode_frame(data: bytes) -> bytes:
    """Write one frame; b"" writes the one that ends the upload."""
    return _LENGTH.pack(len(data)) + data
