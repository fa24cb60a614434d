"""What an upstream may answer, and what becomes of it."""

import pytest

from .bed import ROOM, Bed, Peer, address, app

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
GET_OLD = b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def ask(bed: Bed, request: bytes = GET, room: int = 0) -> tuple[Peer, Peer]:
    """Have a request at an upstream."""
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(request, room=room)
    upstream = server.accept()
    upstream.head()
    return client, upstream


PASSED = {
    "length": (GET, OK, OK),
    "empty": (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "no content": (GET, b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "not modified with a length": (
        GET,
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    ),
    "head with a length": (
        HEAD,
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    ),
    "chunks": (
        GET,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ),
    "trailers": (
        GET,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nDigest: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nDigest: x\r\n\r\n",
    ),
    "early hints": (
        GET,
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK,
    ),
    "hop-by-hop fields": (GET, b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok", None),
}


@pytest.mark.parametrize("name", PASSED, ids=PASSED)
@pytest.mark.parametrize("size", [1, 7, 10_000], ids=["bytewise", "in pieces", "at once"])
def test_an_answer_is_passed_on_and_both_connections_live(bed: Bed, name: str, size: int) -> None:
    request, sent, expected = PASSED[name]
    client, upstream = ask(bed, request)
    for start in range(0, len(sent), size):
        upstream.send(sent[start : start + size])
        bed.turn()
    if expected is not None:
        assert client.take(len(expected)) == expected
    else:
        assert b"Keep-Alive" not in client.until(b"ok")
    client.send(GET)
    upstream.head()
    upstream.send(OK)
    assert client.answer() == OK


def test_a_body_until_close_is_chunked_for_a_client_that_keeps_its_connection(bed: Bed) -> None:
    client, upstream = ask(bed)
    upstream.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert b"Transfer-Encoding: chunked" in client.head()
    client.until(b"3\r\nabc\r\n")
    upstream.send(b"defg")
    client.until(b"4\r\ndefg\r\n")
    upstream.close()
    client.until(b"0\r\n\r\n")
    assert not client.ended


def test_a_body_until_close_stays_so_for_http_1_0(bed: Bed) -> None:
    client, upstream = ask(bed, GET_OLD)
    upstream.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
    upstream.close()
    head, _, body = client.rest().partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"Connection: close" in head
    assert body == b"abc"


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_chunks_are_decoded_for_http_1_0(bed: Bed, size: int) -> None:
    client, upstream = ask(bed, GET_OLD)
    sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n"
    for start in range(0, len(sent), size):
        upstream.send(sent[start : start + size])
        bed.turn()
    head, _, body = client.rest().partition(b"\r\n\r\n")
    assert b"ransfer" not in head
    assert body == b"abc0123456789"


def test_the_same_head_is_written_for_each_client_as_it_needs_it(bed: Bed) -> None:
    client, upstream = ask(bed)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    for request, expected in (
        (b"", chunked),
        (HEAD, chunked[: chunked.index(b"1\r\nx")]),
        (GET, chunked),
    ):
        if request:
            client.send(request)
            upstream.head()
        upstream.send(expected)
        assert client.take(len(expected)) == expected
    old = bed.client(GET_OLD)
    upstream.head()
    upstream.send(chunked)
    assert old.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx"
    client.send(GET)
    upstream.head()
    upstream.send(chunked)
    assert client.take(len(chunked)) == chunked


def test_no_interim_answer_reaches_http_1_0(bed: Bed) -> None:
    client, upstream = ask(bed, GET_OLD)
    upstream.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK)
    assert client.rest().startswith(b"HTTP/1.1 200 OK")


def test_an_old_version_is_spoken_to_the_instance_alone(bed: Bed) -> None:
    client, upstream = ask(bed)
    upstream.send(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert client.answer() == OK
    upstream.rest()
    assert not client.ended


BROKEN = {
    "nonsense": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a tunnel nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
    "folded field": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_502_and_its_connection_is_closed(bed: Bed, answer: bytes) -> None:
    client, upstream = ask(bed)
    upstream.send(answer)
    assert client.answer().startswith(b"HTTP/1.1 502 ")
    upstream.rest()
    assert bed.served().failed == 1


def test_a_broken_chunk_cuts_the_answer(bed: Bed) -> None:
    client, upstream = ask(bed)
    upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcXX")
    client.rest()
    assert b"0\r\n\r\n" not in client.got
    assert bed.served().failed == 1


def test_bytes_behind_an_answer_cost_the_connection_and_nothing_else(bed: Bed) -> None:
    client, upstream = ask(bed)
    upstream.send(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert client.answer() == OK
    upstream.rest()
    bed.settle()
    client.poll()
    assert client.got == b""


def test_an_answer_with_connection_close_costs_only_the_upstream_connection(bed: Bed) -> None:
    client, upstream = ask(bed)
    upstream.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    assert client.answer() == OK
    upstream.rest()
    assert not client.ended


def test_a_large_answer_to_a_slow_client_is_held_back_at_the_upstream(bed: Bed) -> None:
    client, upstream = ask(bed, room=ROOM)
    size = 16 << 20
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    sent = 0
    piece = b"x" * (1 << 16)
    for _ in range(400):
        sent += upstream.offer(piece[: size - sent])
        bed.turn()
    assert sent < size, "everything was taken in although the client reads nothing"
    client.head()
    got = len(client.got)
    client.got = b""
    while got < size:
        sent += upstream.offer(piece[: size - sent])
        bed.turn()
        client.poll()
        got += len(client.got)
        client.got = b""
    assert got == size
    upstream.poll()
    assert not upstream.ended


def test_a_client_that_takes_nothing_is_cut_in_the_end(bed: Bed) -> None:
    client, upstream = ask(bed, room=ROOM)
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (30 << 20))
    piece = b"x" * (1 << 16)
    for _ in range(400):
        upstream.offer(piece)
        bed.turn()
    bed.skip(130.0)
    client.rest()
    upstream.rest()


def test_silence_inside_an_answer_ends_it(bed: Bed) -> None:
    client, upstream = ask(bed)
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    client.until(b"half")
    bed.skip(302.0)
    client.rest()
    assert bed.served().failed == 1
