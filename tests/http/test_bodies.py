"""Where bodies end, in whatever pieces they come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tako_modules.http import bodies
from tako_modules.http.bodies import Chunked, Length, UntilClose
from tako_modules.http.errors import ProtocolError

CHUNKED = b'5\r\nhello\r\n1;a="b"\r\n \r\n00005 ;c\r\nworld\r\n0\r\nX-A: b\r\nX-C:\r\n\r\n'


def _play(body: bodies.Body, stream: bytes, size: int) -> tuple[bytes, bytes]:
    """Feed a stream in pieces of one size: the payload, and what was left over."""
    payload: list[bodies.Data] = []
    for start in range(0, len(stream), size):
        taken = body.feed(memoryview(stream)[start : start + size], payload)
        if body.done:
            return b"".join(payload), stream[start + taken :]
    return b"".join(payload), b""


@pytest.mark.parametrize("size", range(1, len(CHUNKED) + 5))
def test_chunks_are_decoded_at_every_piece_size(size: int) -> None:
    body = Chunked()
    assert _play(body, CHUNKED + b"GET", size) == (b"hello world", b"GET")
    body.finish()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_will_do(kind: type[bytes] | type[bytearray] | type[memoryview]) -> None:
    body, half = Chunked(), len(CHUNKED) // 2
    assert body.feed(kind(CHUNKED[:half])) == half
    assert body.feed(kind(CHUNKED[half:] + b"rest")) == len(CHUNKED) - half
    assert body.done


def test_a_length_takes_its_bytes_and_no_more() -> None:
    body = Length(5)
    assert (body.feed(b"hel"), body.done, body.left) == (3, False, 2)
    assert (body.feed(b"lo, world"), body.done) == (2, True)
    assert body.feed(b"more") == 0
    body.finish()


def test_a_length_of_zero_is_done_at_once() -> None:
    assert Length(0).done


def test_until_close_takes_everything_and_ends_with_the_stream() -> None:
    body = UntilClose()
    assert _play(body, b"hello", 2) == (b"hello", b"")
    assert not body.done
    body.finish()
    assert body.done


@pytest.mark.parametrize("end", range(len(CHUNKED)))
def test_an_early_end_is_an_error_wherever_it_comes(end: int) -> None:
    body = Chunked(502)
    body.feed(CHUNKED[:end])
    with pytest.raises(ProtocolError) as broken:
        body.finish()
    assert broken.value.status == 502


def test_an_early_end_of_a_length_is_an_error() -> None:
    body = Length(5, 502)
    body.feed(b"hell")
    with pytest.raises(ProtocolError) as broken:
        body.finish()
    assert broken.value.status == 502


BROKEN = {
    "no size": b"\r\n",
    "letter": b"g\r\n",
    "sign": b"+5\r\n",
    "sixteen digits": b"0" * 16,
    "space before": b" 5\r\n",
    "space behind": b"5 \r\n",
    "tab behind": b"5\t\r\n",
    "bare LF": b"5\n",
    "bare CR": b"5\rh",
    "CR in extension": b"5;a\rb\r\n",
    "NUL in extension": b"5;\0\r\n",
    "line too long": b"5;" + b"x" * bodies.CHUNK_LINE_LIMIT + b"\r\n",
    "endless line": b"5;" + b"x" * bodies.CHUNK_LINE_LIMIT,
    "no CRLF behind data": b"1\r\nab",
    "CR behind data": b"1\r\na\rb",
    "trailer without colon": b"0\r\nX\r\n",
    "trailer with space": b"0\r\nX : y\r\n",
    "folded trailer": b"0\r\nX: y\r\n z\r\n",
    "routing in a trailer": b"0\r\nhost: a\r\n",
    "address in a trailer": b"0\r\nX_Forwarded.For: a\r\n",
    "trailers too large": b"0\r\n" + b"X: 1234567890\r\n" * 600,
    "endless trailer": b"0\r\nX: " + b"y" * bodies.TRAILERS_LIMIT,
}


@pytest.mark.parametrize("stream", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_broken_framing_is_noticed_as_soon_as_it_is_there(stream: bytes, size: int) -> None:
    with pytest.raises(ProtocolError) as broken:
        _play(Chunked(), stream, size)
    assert broken.value.status == 400


def test_extensions_cannot_carry_more_than_the_data_pays_for() -> None:
    chunk = b"1;" + b"x" * 400 + b"\r\na\r\n"
    Chunked().feed(chunk * 40)
    with pytest.raises(ProtocolError):
        Chunked().feed(chunk * 50)


def test_honest_chunks_never_run_out_of_allowance() -> None:
    body = Chunked()
    for _ in range(10_000):
        body.feed(b"1\r\na\r\n")
    for _ in range(2_000):  # signed chunks of a kilobyte
        body.feed(b"400;chunk-signature=" + b"0" * 64 + b"\r\n" + b"x" * 1024 + b"\r\n")
    body.feed(bodies.LAST_CHUNK)
    assert body.done


def test_a_large_chunk_passes_without_being_looked_at() -> None:
    body = Chunked()
    body.feed(b"fffffffffffffff\r\n")
    assert body.feed(b"\0" * 1000) == 1000
    assert body.left == 0xFFFFFFFFFFFFFFF - 1000


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40)), st.integers(1, 50))
def test_what_is_encoded_is_decoded(payloads: list[bytes], size: int) -> None:
    stream = b"".join(map(bodies.encode_chunk, payloads)) + bodies.LAST_CHUNK
    assert _play(Chunked(), stream + b"x", size) == (b"".join(payloads), b"x" if stream else b"")


def test_nothing_is_no_chunk() -> None:
    assert bodies.encode_chunk(b"") == b""
    assert bodies.encode_chunk(memoryview(b"0123456789abcdef")) == b"10\r\n0123456789abcdef\r\n"
