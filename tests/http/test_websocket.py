"""Handshakes, close frames, and the places between frames."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tako_modules.http import websocket
from tako_modules.http.errors import ProtocolError
from tako_modules.http.websocket import Frames

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 1.3
BLOCK = b"\r\nHost: a\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n"


def _frame(opcode: int, payload: bytes, mask: bytes = b"") -> bytes:
    """Write one final frame; its payload is not really masked, since nobody here unmasks it."""
    size, flag = len(payload), 0x80 if mask else 0
    if size < 126:
        head = bytes([0x80 | opcode, flag | size])
    elif size < 1 << 16:
        head = bytes([0x80 | opcode, flag | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, flag | 127]) + size.to_bytes(8, "big")
    return head + mask + payload


def test_the_handshake_of_the_rfc() -> None:
    assert websocket.check_handshake(b"GET", BLOCK) == KEY
    assert websocket.accept_key(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    head = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    assert websocket.accepted(head, KEY)
    assert not websocket.accepted(head, KEY[::-1])


@pytest.mark.parametrize(
    ("method", "block", "status"),
    [
        (b"POST", BLOCK, 400),
        (b"GET", BLOCK.replace(b": 13", b": 8"), 426),
        (b"GET", BLOCK.replace(b"Version", b"Vision"), 400),
        (b"GET", BLOCK.replace(b"Key", b"Kay"), 400),
        (b"GET", BLOCK + b"Sec-WebSocket-Key: " + KEY + b"\r\n", 400),
        (b"GET", BLOCK + b"Sec-WebSocket-Version: 13\r\n", 400),
        (b"GET", BLOCK.replace(KEY, b"c2hvcnQ="), 400),
        (b"GET", BLOCK.replace(KEY, KEY[:-1] + b"?"), 400),
        (b"GET", BLOCK.replace(KEY, KEY[:-1]), 400),
    ],
    ids=["method", "version 8", "no version", "no key", "two keys", "two versions", "short", "no base64", "padding"],
)
def test_another_handshake_is_refused(method: bytes, block: bytes, status: int) -> None:
    with pytest.raises(ProtocolError) as refusal:
        websocket.check_handshake(method, block)
    assert refusal.value.status == status


def test_a_close_frame_for_a_client_and_for_a_server() -> None:
    assert websocket.close_frame(websocket.SERVICE_RESTART, b"bye") == b"\x88\x05\x03\xf4bye"
    assert websocket.close_frame(1000) == b"\x88\x02\x03\xe8"
    assert websocket.close_frame(1000, mask=b"\x01\x02\x03\x04") == b"\x88\x82\x01\x02\x03\x04\x02\xea"


FRAMES = st.builds(
    _frame,
    st.sampled_from([0, 1, 2, 9, 10]),
    st.sampled_from([0, 1, 125, 126, 127, 300, 65535, 65536]).map(bytes),
    st.sampled_from([b"", b"abcd"]),
)


@settings(deadline=None)
@given(st.lists(FRAMES, max_size=4), st.data())
def test_every_end_of_a_frame_is_found_at_any_cut(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frames)
    ends = {sum(map(len, frames[: count + 1])) for count in range(len(frames))}
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)) | {0, len(stream)})
    tracker = Frames()
    for start, stop in itertools.pairwise(cuts):
        offset = tracker.feed(memoryview(stream)[start:stop])
        assert offset == max((end - start for end in ends if start < end <= stop), default=-1)
        assert tracker.between == (stop in ends)
    assert not tracker.closed


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_after_a_close_frame_nothing_may_be_sent(size: int) -> None:
    stream, tracker = _frame(1, b"hello") + websocket.close_frame(1000), Frames()
    for start in range(0, len(stream), size):
        assert not tracker.closed
        tracker.feed(stream[start : start + size])
    assert tracker.closed
    assert tracker.between


def test_an_impossible_length_is_an_error() -> None:
    with pytest.raises(ProtocolError):
        Frames().feed(b"\x82\x7f" + b"\xff" * 8)


def test_nothing_changes_nothing() -> None:
    tracker = Frames()
    assert tracker.feed(b"") == -1
    assert tracker.between
    tracker.feed(b"\x82")
    assert tracker.feed(b"") == -1
    assert not tracker.between
