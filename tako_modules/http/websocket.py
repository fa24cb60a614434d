"""The edges of a WebSocket (RFC 6455): its opening handshake, its close frame, and where one frame ends.

Messages are none of a proxy's business: between handshake and close the bytes pass as they are.
"""

import base64
import binascii
import hashlib

from . import headers
from .bodies import Data
from .errors import ProtocolError

__all__ = ["SERVICE_RESTART", "Frames", "accept_key", "accepted", "check_handshake", "close_frame"]

SERVICE_RESTART = 1012  # the registered code for "come back in a moment": what a drained tunnel ends with
_ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
_KEY_BYTES = 16
_REASON_LIMIT = 123  # a control frame carries 125 bytes, two of them the code
_CLOSE = 0x8


def check_handshake(method: bytes, block: bytes) -> bytes:
    """Check the opening handshake of a request whose RequestBlock.upgrade is b"websocket", and give its key.

    block: the field block as it came. Raises ProtocolError 400, or 426 for another version (RFC 6455 4.2.1, 4.4).
    """
    versions, keys = headers.find(block, b"sec-websocket-version"), headers.find(block, b"sec-websocket-key")
    if versions != [b"13"]:
        raise ProtocolError(426 if len(versions) == 1 else 400, "WebSocket version other than 13")
    if method != b"GET" or len(keys) != 1 or not _is_key(keys[0]):
        raise ProtocolError(400, "malformed WebSocket handshake")
    return keys[0]


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


def accept_key(key: bytes) -> bytes:
    """Compute the value of Sec-WebSocket-Accept for a client's key."""
    return base64.b64encode(hashlib.sha1(key + _ACCEPT_SUFFIX, usedforsecurity=False).digest())


def accepted(head: bytes, key: bytes) -> bool:
    """Tell whether the head of a 101 is the answer to a handshake with this key (RFC 6455 4.1)."""
    return headers.find(head, b"sec-websocket-accept") == [accept_key(key)]


def close_frame(code: int, reason: bytes = b"", mask: bytes = b"") -> bytes:
    """Write a close frame; `mask` is four bytes when it goes to a server and empty when it goes to a client.

    reason: UTF-8, 123 bytes at most.
    """
    assert len(reason) <= _REASON_LIMIT
    payload = code.to_bytes(2, "big") + reason
    if not mask:
        return bytes((0x80 | _CLOSE, len(payload))) + payload
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes((0x80 | _CLOSE, 0x80 | len(payload))) + mask + masked


class Frames:
    """Follows one direction of a WebSocket, so that a close frame can be put between two frames and not into one.

    Between frames of one message is as good a place as any: control frames may stand there (RFC 6455 5.4).
    between: the stream stands between two frames; closed: a close frame went by, after which nothing may be sent.
    """

    __slots__ = ("_head", "_left", "_opcode", "between", "closed")

    def __init__(self) -> None:
        self.between = True
        self.closed = False
        self._head = b""  # the begun head of a frame
        self._left = 0  # bytes of the frame's payload that are still to come
        self._opcode = 0

    def feed(self, data: Data) -> int:
        """Take the next bytes: the offset behind the last frame that ends in them, or -1 when none does.

        Raises ProtocolError when a frame has a length that no frame can have.
        """
        position, size, last = 0, len(data), -1
        while position < size:
            if self._left == 0:
                position = self._open(data, position)
                if self._head:
                    break
            step = min(self._left, size - position)
            self._left -= step
            position += step
            if self._left == 0:
                last = position
                self.closed = self.closed or self._opcode == _CLOSE
        self.between = last == size or (size == 0 and self.between)
        return last

    def _open(self, data: Data, position: int) -> int:
        """Read a frame's head, which may have begun earlier: the offset behind it; `_head` is kept while not whole."""
        held = len(self._head)
        head = self._head + bytes(data[position : position + 14 - held])  # 2, length 8, mask 4
        need = _head_size(head)
        if len(head) < need:
            self._head = head
            return len(data)
        extended = need - 2 - (4 if head[1] & 0x80 else 0)
        length = int.from_bytes(head[2 : 2 + extended], "big") if extended else head[1] & 0x7F
        if length >> 63:
            raise ProtocolError(502, "impossible WebSocket frame")
        self._head, self._opcode, self._left = b"", head[0] & 0x0F, length
        return position + need - held


def _head_size(head: bytes) -> int:
    """Tell how long the head of a frame is, as far as its first bytes say."""
    if len(head) < 2:
        return 2
    return 2 + {126: 2, 127: 8}.get(head[1] & 0x7F, 0) + (4 if head[1] & 0x80 else 0)
