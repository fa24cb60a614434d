"""Lines and frames: the same for every way in which the bytes are cut, and bounded while they are read."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tako_modules.protocol.errors import FrameError
from tako_modules.protocol.frames import FRAME_LIMIT, LINE_LIMIT, FrameDecoder, LineDecoder, encode_frame

LINES = [b"", b"{}", b'{"command":"list"}', b"x" * 300]


def read_lines(data: bytes, size: int) -> list[bytes]:
    """Read all whole lines of bytes that come in pieces."""
    decoder, lines = LineDecoder(), []
    for start in range(0, len(data), size):
        decoder.feed(data[start : start + size])
        while (line := decoder.line()) is not None:
            lines.append(line)
    return lines


@pytest.mark.parametrize("size", range(1, 330))
def test_lines_are_the_same_in_pieces_of_every_size(size: int) -> None:
    assert read_lines(b"".join(line + b"\n" for line in LINES) + b"not yet whole", size) == LINES


@given(st.lists(st.binary(max_size=20).filter(lambda data: b"\n" not in data)), st.integers(1, 50))
def test_any_lines_come_back(lines: list[bytes], size: int) -> None:
    assert read_lines(b"".join(line + b"\n" for line in lines), size) == lines


@pytest.mark.parametrize("size", [1 << 10, 65_536, 1 << 30], ids=lambda size: f"in pieces of {size}")
def test_the_longest_line_passes_and_one_byte_more_does_not(size: int) -> None:
    longest = b"x" * LINE_LIMIT
    assert read_lines(b"a\n" + longest + b"\n", size) == [b"a", longest]
    with pytest.raises(FrameError, match=str(LINE_LIMIT)):
        read_lines(b"a\n" + longest + b"x\n", size)


def test_a_line_without_end_is_refused_when_it_reaches_the_limit() -> None:
    decoder = LineDecoder()
    decoder.feed(b"x" * LINE_LIMIT)
    with pytest.raises(FrameError):
        decoder.feed(b"x")


def test_a_long_line_in_tiny_pieces_costs_no_more_than_its_bytes() -> None:
    decoder, began = LineDecoder(), time.process_time()
    for _ in range(LINE_LIMIT // 16):
        decoder.feed(b"x" * 16)
        assert decoder.line() is None
    assert time.process_time() - began < 5


def test_what_follows_a_line_can_be_taken_as_it_is() -> None:
    decoder = LineDecoder()
    decoder.feed(b"line\nrest")
    assert (decoder.line(), decoder.line(), decoder.rest(), decoder.rest()) == (b"line", None, b"rest", b"")
    decoder.feed(b"x\n")
    assert decoder.line() == b"x"


FRAMES = [b"a", b"bc", b"d" * 300, b"e"]
UPLOAD = b"".join(encode_frame(frame) for frame in FRAMES) + encode_frame(b"") + b"after"


@pytest.mark.parametrize("size", range(1, len(UPLOAD) + 1))
def test_frames_are_the_same_in_pieces_of_every_size(size: int) -> None:
    decoder, frames, end = FrameDecoder(), list[bytes](), 0
    while not decoder.done:
        frames += decoder.feed(UPLOAD[end : end + size])
        end += size
    assert frames == FRAMES
    assert decoder.rest() + UPLOAD[end:] == b"after"


def test_the_largest_frame_passes() -> None:
    assert FrameDecoder().feed(encode_frame(b"x" * FRAME_LIMIT)) == [b"x" * FRAME_LIMIT]


def test_a_frame_over_the_limit_is_refused_by_its_length_alone() -> None:
    with pytest.raises(FrameError, match=str(FRAME_LIMIT)):
        FrameDecoder().feed((FRAME_LIMIT + 1).to_bytes(4, "big"))


def test_nothing_is_given_before_a_frame_is_whole() -> None:
    decoder = FrameDecoder()
    whole = encode_frame(b"abc")
    assert decoder.feed(whole[:-1]) == []
    assert not decoder.done
    assert decoder.feed(whole[-1:]) == [b"abc"]
