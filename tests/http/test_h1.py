"""Heads: found, checked and rewritten."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tako_modules.http import h1
from tako_modules.http.errors import ProtocolError
from tako_modules.http.h1 import BodyKind, Edge

EDGE = Edge(b"2001:db8::7", b"http", b"80")
HOST = b"\r\nHost: a\r\n"


def _meaning(block: h1.RequestBlock) -> dict[str, object]:
    return {name: getattr(block, name) for name in block.__slots__}


def test_a_plain_block() -> None:
    block = h1.request_block(b"\r\nHost: A.:80\r\nAccept: */*\r\n", EDGE, b"1")
    assert _meaning(block) == {
        "host": b"a",
        "authority": b"A.:80",
        "length": 0,
        "chunked": False,
        "close": False,
        "upgrade": None,
        "expect_continue": False,
        "forward_a": (
            b"Host: A.:80\r\nX-Forwarded-Host: A.:80\r\nX-Forwarded-For: 2001:db8::7\r\nX-Real-IP: 2001:db8::7\r\n"
            b"X-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\nX-Request-Id: "
        ),
        "forward_b": b"\r\nAccept: */*\r\n\r\n",
    }


@pytest.mark.parametrize(
    ("lines", "minor", "attribute", "expected"),
    [
        (b"Connection: close\r\n", b"1", "close", True),
        (b"Connection: keep-alive\r\nConnection: x, CLOSE\r\n", b"1", "close", True),
        (b"Connection: keep-alive\r\n", b"1", "close", False),
        (b"Connection: keep-alive\r\n", b"0", "close", True),
        (b"Content-Length: 12\r\n", b"1", "length", 12),
        (b"Content-Length: 012\r\n", b"0", "length", 12),
        (b"Transfer-Encoding: chunked\r\n", b"1", "chunked", True),
        (b"Connection: upgrade\r\nUpgrade: WebSocket\r\n", b"1", "upgrade", b"websocket"),
        (b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"1", "upgrade", None),
        (b"Connection: upgrade\r\nUpgrade: TLS/1.0\r\n", b"1", "upgrade", None),
        (b"Connection: upgrade\r\nUpgrade: a b\r\n", b"1", "upgrade", None),
        (b"Connection: upgrade\r\n", b"1", "upgrade", None),
        (b"Expect: 100-continue\r\nContent-Length: 1\r\n", b"1", "expect_continue", True),
        (b"Expect: 100-continue\r\nContent-Length: 0\r\n", b"1", "expect_continue", False),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else str(value),
)
def test_what_special_fields_mean(lines: bytes, minor: bytes, attribute: str, expected: object) -> None:
    block = h1.request_block(HOST + lines, EDGE, minor)
    assert getattr(block, attribute) == expected


def test_the_authority_of_the_target_replaces_host() -> None:
    block = h1.request_block(HOST, EDGE, b"1", b"B:81")
    assert (block.host, block.authority) == (b"b", b"B:81")


@pytest.mark.parametrize("size", [1, 8, 4096])
@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (b"GET /" + b"a" * h1.REQUEST_HEAD_LIMIT, 414),
        (b"GET /" + b"a" * h1.REQUEST_LINE_LIMIT + b" HTTP/1.1\r\n\r\n", 414),
        (b"get /" + b"a" * h1.REQUEST_LINE_LIMIT + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * h1.REQUEST_HEAD_LIMIT, 431),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * h1.REQUEST_HEAD_LIMIT + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A:\r\n" * 100 + b"\r\n", 431),
    ],
    ids=["endless line", "line", "unusual line", "endless field", "head", "fields"],
)
def test_heads_are_bounded(stream: bytes, status: int, size: int) -> None:
    with pytest.raises(ProtocolError) as refusal:
        _read_request(stream, size)
    assert refusal.value.status == status


def _read_request(stream: bytes, size: int) -> None:
    end, seen = 0, 0
    while not end:
        arrived = stream[: seen + size]
        end = h1.head_end(arrived, seen)
        seen = len(arrived)
    minor, authority, line = h1.request_line(stream)[2:]
    h1.request_block(stream[line - 2 : end - 2], EDGE, minor, authority)


def test_the_largest_heads_are_taken() -> None:
    line = b"GET /" + b"a" * (h1.REQUEST_LINE_LIMIT - 16) + b" HTTP/1.1\r\n"
    assert h1.request_line(line + b"\r\n")[4] == h1.REQUEST_LINE_LIMIT
    start = b"GET / HTTP/1.1\r\nHost: a\r\nA: "
    _read_request(start + b"a" * (h1.REQUEST_HEAD_LIMIT - len(start) - 4) + b"\r\n\r\n", 1 << 20)
    _read_request(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A:\r\n" * 99 + b"\r\n", 1 << 20)


def test_what_follows_a_head_is_not_counted() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert h1.head_end(head + b"\n" * (1 << 20)) == len(head)
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    assert h1.response_end(head + b"\n" * (1 << 20)) == len(head)


@pytest.mark.parametrize("size", [1, 8, 4096])
def test_response_heads_are_bounded(size: int) -> None:
    stream = b"HTTP/1.1 200 OK\r\nA: " + b"a" * h1.RESPONSE_HEAD_LIMIT
    end = h1.RESPONSE_HEAD_LIMIT
    assert not h1.response_end(stream[:end], end - size)
    for over in (stream[: end + 1], stream + b"\r\n\r\n"):
        with pytest.raises(ProtocolError) as refusal:
            h1.response_end(over, end - size)
        assert refusal.value.status == 502


NAMES = st.sampled_from(
    [
        *(
            b"Accept",
            b"Cookie",
            b"X-A",
            b"x-forwarded-for",
            b"Connection",
            b"Upgrade",
            b"User-Agent",
            b"Keep-Alive",
            b"TE",
        ),
        *(
            b"Content-Length",
            b"Transfer-Encoding",
            b"Host",
            b"host",
            b"Expect",
            b"Connectionx",
            b"Upgrade-Insecure-Requests",
        ),
    ]
)
VALUES = st.sampled_from(
    [b"", b" ", b" keep-alive", b" Keep-Alive", b" close", b" 5", b" chunked", b"\ta", b" %b", b" \xff "]
)
LINES = st.lists(st.builds(b"%b:%b\r\n".__mod__, st.tuples(NAMES, VALUES)), max_size=4).map(b"".join)
STARTS = st.sampled_from(
    [
        *(
            b"\r\nHost: a\r\n",
            b"\r\nhost: A.example.:8080\r\n",
            b"\r\nHost: a:65536\r\n",
            b"\r\nHost: [::1]\r\n",
            b"\r\n",
        ),
        *(
            b"\r\nHost: a\r\nConnection: keep-alive\r\n",
            b"\r\nHost: _.\r\nconnection: Keep-Alive\r\n",
            b"\r\nHost: -\r\n",
        ),
    ]
)


@settings(deadline=None)
@given(st.builds(bytes.__add__, STARTS, LINES))
def test_the_short_way_is_the_long_way(block: bytes) -> None:
    usual = h1.usual_block(block, EDGE)
    if usual is not None:
        assert _meaning(usual) == _meaning(h1.general_block(block, EDGE, b"1", None))


@pytest.mark.parametrize("start", [HOST, b"\r\nhost: a.b.:1\r\nConnection: keep-alive\r\n"], ids=["host", "connection"])
def test_most_requests_go_the_short_way(start: bytes) -> None:
    block = start + b"User-Agent: x\r\nUpgrade-Insecure-Requests: 1\r\nCookie: a=b\r\nX-Requested-With: y\r\n"
    assert h1.usual_block(block, EDGE) is not None


HEADS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nA: b\r\ntransfer-encoding: chunked\r\n\r\n",
    "until close": b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n",
    "nothing": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize(
    ("name", "kind", "minor", "close", "expected"),
    [
        ("length", BodyKind.LENGTH, b"1", False, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("length", BodyKind.LENGTH, b"1", True, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"),
        ("length", BodyKind.LENGTH, b"0", False, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"),
        ("chunked", BodyKind.CHUNKED, b"1", False, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n"),
        ("chunked", BodyKind.CHUNKED, b"0", False, b"HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n"),
        (
            "until close",
            BodyKind.UNTIL_CLOSE,
            b"1",
            True,
            b"HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        ),
        ("until close", BodyKind.UNTIL_CLOSE, b"0", True, b"HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n"),
        ("nothing", BodyKind.NONE, b"1", False, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("304", BodyKind.NONE, b"1", False, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
    ],
    ids=str,
)
def test_a_head_for_each_client(name: str, kind: BodyKind, minor: bytes, close: bool, expected: bytes) -> None:
    head = h1.response_head(HEADS[name])
    before = head.out
    assert h1.body_kind(head, b"GET") is kind
    assert head.for_client(kind, minor, close) == expected
    assert head.out == before


def test_an_interim_head_never_ends_the_connection() -> None:
    head = h1.response_head(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    assert head.for_client(BodyKind.NONE, b"1", close=True) == head.out


@pytest.mark.parametrize("name", HEADS)
def test_head_never_has_a_body(name: str) -> None:
    assert h1.body_kind(h1.response_head(HEADS[name]), b"HEAD") is BodyKind.NONE


@pytest.mark.parametrize(
    ("head", "keep"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", False),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", False),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", False),
    ],
)
def test_whether_the_upstream_can_be_used_again(head: bytes, keep: bool) -> None:
    assert h1.response_head(head).keep is keep


def test_a_switch_of_protocols_is_told() -> None:
    head = h1.response_head(b"HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nContent-Length: 5\r\n\r\n")
    assert (head.status, head.upgrade, head.length) == (101, b"websocket", None)
    assert h1.response_head(b"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\n\r\n").upgrade is None


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_heads_are_read_from_any_buffer(kind: type[bytes] | type[bytearray]) -> None:
    for line in (b"GET /x HTTP/1.1\r\n", b"get /x HTTP/1.1\r\n"):
        buffer = kind(line + b"Host: a\r\n\r\n")
        assert h1.head_end(buffer) == len(buffer)
        method, target, minor, authority, end = h1.request_line(buffer)
        assert (bytes(method.upper()), target, minor, authority, end) == (b"GET", b"/x", b"1", None, len(line))
        assert all(type(word) is bytes for word in (method, target, minor))
    head = kind(b"HTTP/1.1 200 OK\r\n\r\n")
    assert [h1.response_end(head[:size]) for size in (0, 3, 8, 17)] == [0] * 4
    assert h1.response_end(head) == len(head)
