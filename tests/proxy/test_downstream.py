"""How a client's connection behaves: heads, bodies, pipelining, half-close, slowness, and the proxy's own answers."""

import pytest

from tako_modules.model import snapshot as model
from tako_modules.proxy.downstream import Client

from .bed import ROOM, Bed, Server, address, app

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(name="server")
def _server(bed: Bed) -> Server:
    server = bed.server()
    bed.publish(app(address(server.port)))
    return server


OLD_WEBSOCKET = (
    b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
REFUSED = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", 400),
    "smuggling": (b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "bare newline": (b"GET / HTTP/1.1\nHost: a.test\n\n", 400),
    "connect": (b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", 501),
    "version": (b"GET / HTTP/2.0\r\nHost: a.test\r\n\r\n", 505),
    "long line": (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a.test\r\n\r\n", 414),
    "large head": (b"GET / HTTP/1.1\r\nHost: a.test\r\nX: " + b"y" * 17000 + b"\r\n\r\n", 431),
    "expectation": (b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nExpect: tea\r\n\r\n", 417),
    "websocket version": (OLD_WEBSOCKET, 426),
}


@pytest.mark.parametrize(("request_bytes", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused_and_the_connection_closed(
    bed: Bed, server: Server, request_bytes: bytes, status: int
) -> None:
    client = bed.client(request_bytes)
    answer = client.rest()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in answer
    assert not client.was_reset
    assert server.quiet()


def test_a_head_may_come_byte_by_byte(bed: Bed, server: Server) -> None:
    client = bed.client()
    for byte in GET:
        client.send(bytes((byte,)))
        bed.turn()
    assert server.accept().head().startswith(b"GET / HTTP/1.1\r\n")


def test_hosts_without_an_app_get_404_and_the_connection_lives(bed: Bed, server: Server) -> None:
    client = bed.client(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
    answer = client.answer()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"X-Request-Id: " in answer
    client.send(GET)
    server.accept().send(OK)
    assert client.answer() == OK


def test_the_same_fields_mean_another_thing_under_http_1_0(bed: Bed, server: Server) -> None:
    client = bed.client(GET)
    upstream = server.accept()
    upstream.head()
    upstream.send(OK)
    client.answer()
    client.send(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
    upstream.head()
    upstream.send(OK)
    assert b"Connection: close" in client.rest()


def test_an_absolute_target_names_the_host(bed: Bed, server: Server) -> None:
    bed.client(b"GET http://a.test/x HTTP/1.1\r\nHost: other.test\r\n\r\n")
    assert server.accept().head().startswith(b"GET /x HTTP/1.1\r\nHost: a.test\r\n")


def test_the_next_head_with_the_same_fields_and_another_absolute_target_is_another_request(
    bed: Bed, server: Server
) -> None:
    client = bed.client(b"GET http://a.test/x HTTP/1.1\r\nHost: other.test\r\n\r\n")
    server.accept().send(OK)
    client.answer()
    client.send(b"GET /x HTTP/1.1\r\nHost: other.test\r\n\r\n")
    assert client.answer().startswith(b"HTTP/1.1 404 ")


def test_options_of_the_whole_server_pass(bed: Bed, server: Server) -> None:
    bed.client(b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n")
    assert server.accept().head().startswith(b"OPTIONS * HTTP/1.1\r\n")


def test_connection_close_is_kept_to(bed: Bed, server: Server) -> None:
    client = bed.client(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
    server.accept().send(OK)
    answer = client.rest()
    assert b"Connection: close\r\n" in answer
    assert answer.endswith(b"ok")


# -- bodies


BODIES = {
    "length": (b"Content-Length: 10\r\n\r\n", b"0123456789"),
    "chunked": (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\n01234\r\n5;a=b\r\n56789\r\n0\r\nT: x\r\n\r\n"),
}


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("kind", BODIES)
def test_a_body_reaches_the_instance_and_the_next_request_follows(
    bed: Bed, server: Server, kind: str, size: int
) -> None:
    fields, body = BODIES[kind]
    data = b"POST / HTTP/1.1\r\nHost: a.test\r\n" + fields + body + GET
    client = bed.client()
    for start in range(0, len(data), size):
        client.send(data[start : start + size])
        bed.turn()
    upstream = server.accept()
    upstream.head()
    assert upstream.take(len(body)) == body
    bed.settle()
    upstream.poll()
    assert upstream.got == b"", "the second request must wait for the first answer"
    upstream.send(OK)
    assert client.answer() == OK
    assert upstream.head().startswith(b"GET / ")
    upstream.send(OK)
    assert client.answer() == OK


def test_a_large_upload_is_held_back_by_a_slow_instance_and_arrives_whole(bed: Bed, server: Server) -> None:
    size = 20 << 20
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size)
    upstream = server.accept()
    upstream.head()
    piece, sent, got = b"z" * (1 << 18), 0, 0
    for _ in range(500):
        sent += client.offer(piece[: size - sent])
        bed.turn()
    assert sent < size
    while got < size:
        sent += client.offer(piece[: size - sent])
        bed.turn()
        upstream.poll()
        got += len(upstream.got)
        upstream.got = b""
    upstream.send(OK)
    assert client.answer() == OK
    assert bed.served().bytes_in == size


def test_a_body_over_the_apps_limit_is_refused_before_anything_is_forwarded(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port), limits=model.Limits(body_bytes=100)))
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 101\r\n\r\n" + b"x" * 101)
    assert client.rest().startswith(b"HTTP/1.1 413 ")
    assert not client.was_reset
    assert server.quiet()


def test_a_chunked_body_over_the_limit_is_stopped(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port), limits=model.Limits(body_bytes=100)))
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
    upstream = server.accept()
    client.send(b"FF\r\n" + b"x" * 255 + b"\r\n0\r\n\r\n")
    assert client.rest().startswith(b"HTTP/1.1 413 ")
    upstream.rest()


def test_a_broken_chunk_is_refused(bed: Bed, server: Server) -> None:
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")
    assert client.rest().startswith(b"HTTP/1.1 400 ")
    assert server.quiet() or server.accept().rest() is not None


def test_expect_continue_is_settled_between_client_and_instance(bed: Bed, server: Server) -> None:
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    upstream = server.accept()
    assert b"Expect: 100-continue" in upstream.head()
    upstream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"body")
    upstream.until(b"body")
    upstream.send(OK)
    assert client.answer() == OK


def test_an_early_answer_reaches_a_client_that_is_still_sending(bed: Bed, server: Server) -> None:
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 1000)
    upstream = server.accept()
    upstream.head()
    upstream.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
    upstream.rest()
    client.send(b"x" * 300_000)
    answer = client.rest()
    assert not client.was_reset
    assert answer.startswith(b"HTTP/1.1 413 Too Large\r\n")
    assert b"Connection: close" in answer


def test_an_early_answer_of_an_instance_that_closes_at_once_is_not_lost(bed: Bed, server: Server) -> None:
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 100_000)
    upstream = server.accept()
    upstream.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
    upstream.close()
    assert client.rest().startswith(b"HTTP/1.1 413 Too Large\r\n")


# -- pipelining and half-close


def test_pipelined_requests_are_answered_in_order(bed: Bed, server: Server) -> None:
    client = bed.client(b"".join(b"GET /%d HTTP/1.1\r\nHost: a.test\r\n\r\n" % number for number in range(5)))
    upstream = server.accept()
    for number in range(5):
        assert upstream.head().startswith(b"GET /%d " % number)
        bed.settle()
        upstream.poll()
        assert upstream.got == b""
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
    client.until(b"\r\n\r\n4")


def test_many_pipelined_requests_for_nobody_are_all_answered(bed: Bed, server: Server) -> None:
    client = bed.client(b"GET / HTTP/1.1\r\nHost: x.test\r\n\r\n" * 1000)
    client.until(b"HTTP/1.1 404 ", 1000)
    assert server.quiet()


def test_a_client_that_pipelines_and_reads_nothing_is_not_served_for_ever(bed: Bed, server: Server) -> None:
    client = bed.client(room=ROOM)
    bed.settle()
    guest = next(iter(bed.worker.context.guests))
    assert isinstance(guest, Client)
    data = b"GET / HTTP/1.1\r\nHost: x.test\r\n\r\n" * 1000

    def held_back() -> bool:
        client.offer(data)
        return guest.stream.paused

    bed.until(held_back, "the worker to stop reading")
    assert guest.stream.queued < 200_000
    client.until(b"HTTP/1.1 404 ", 2000)


def test_what_follows_a_body_is_taken_in_small_pieces(bed: Bed, server: Server) -> None:
    body = b"x" * 200_000
    lost = b"GET / HTTP/1.1\r\nHost: x.test\r\n\r\n"
    client = bed.client()
    client.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % len(body) + body + lost * 5000)
    upstream = server.accept()
    upstream.head()
    assert upstream.take(len(body)) == body
    upstream.send(OK)
    assert client.answer() == OK
    client.until(b"HTTP/1.1 404 ", 5000)


def test_small_bodies_among_many_pipelined_requests_cost_none_of_them(bed: Bed, server: Server) -> None:
    lost = b"GET /%04d HTTP/1.1\r\nHost: x.test\r\n\r\n"
    small = b"POST /small HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody"
    body = b"x" * 200_000
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % len(body))
    upstream = server.accept()
    upstream.head()
    many = b"".join(small if number % 500 == 1 else lost % number for number in range(5000))
    client.send(body + many)
    upstream.take(len(body))
    upstream.send(OK)
    for _ in range(10):
        upstream.until(b"\r\n\r\nbody")
        upstream.send(OK)
    client.until(b"HTTP/1.1 404 ", 4990)
    bed.settle()
    client.poll()
    assert b"HTTP/1.1 400 " not in client.got


def test_a_client_that_closed_its_sending_side_gets_its_answer(bed: Bed, server: Server) -> None:
    client = bed.client(GET)
    client.sock.shutdown(1)
    upstream = server.accept()
    upstream.head()
    bed.settle()
    upstream.send(OK)
    assert client.rest() == OK


def test_all_pipelined_requests_of_a_half_closed_client_are_answered(bed: Bed, server: Server) -> None:
    client = bed.client(GET + GET)
    client.sock.shutdown(1)
    upstream = server.accept()
    for _ in range(2):
        upstream.head()
        bed.settle()
        upstream.send(OK)
    assert client.rest() == OK + OK


def test_a_body_that_ends_early_ends_the_exchange(bed: Bed, server: Server) -> None:
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf")
    client.sock.shutdown(1)
    server.accept().rest()
    client.rest()
    assert bed.served().failed == 0


@pytest.mark.parametrize("method", [b"POST", b"PUT"])
def test_a_handshake_is_checked_again_under_another_method(bed: Bed, server: Server, method: bytes) -> None:
    fields = OLD_WEBSOCKET.partition(b"\r\n")[2].replace(b"Version: 12", b"Version: 13")
    client = bed.client(b"GET / HTTP/1.1\r\n" + fields)
    server.accept().send(OK)
    client.answer()
    client.send(method + b" / HTTP/1.1\r\n" + fields)
    assert client.rest().startswith(b"HTTP/1.1 400 ")


# -- slowness


def test_an_empty_line_behind_a_request_is_no_request_that_came_too_late(bed: Bed, server: Server) -> None:
    client = bed.client(POST + b"body\r\n")
    server.accept().send(OK)
    client.answer()
    bed.skip(100.0)
    assert client.rest() == b""


def test_a_connection_that_says_nothing_is_closed(bed: Bed, server: Server) -> None:
    client = bed.client()
    bed.settle()
    bed.skip(12.0)
    assert client.rest() == b""


def test_a_head_that_does_not_come_to_an_end_is_refused(bed: Bed, server: Server) -> None:
    client = bed.client(b"GET / HTTP/1.1\r\nHost")
    for _ in range(12):
        bed.skip(1.0)
        if not client.ended:
            try:
                client.sock.send(b"x")
            except OSError:
                break
        client.poll()
    assert client.rest().startswith(b"HTTP/1.1 408 ")


def test_a_body_that_does_not_come_is_refused(bed: Bed, server: Server) -> None:
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf")
    upstream = server.accept()
    bed.skip(62.0)
    assert client.rest().startswith(b"HTTP/1.1 408 ")
    upstream.rest()


def test_an_idle_connection_is_closed_in_the_end_and_not_before(bed: Bed, server: Server) -> None:
    client = bed.client(GET)
    server.accept().send(OK)
    client.answer()
    bed.skip(70.0)
    client.poll()
    assert not client.ended
    bed.skip(7.0)
    assert client.rest() == b""


def test_connections_cost_nothing_when_gone(bed: Bed, server: Server) -> None:
    guests = bed.worker.context.guests
    for _ in range(5):
        peers = [bed.client() for _ in range(20)]
        bed.until(lambda: len(guests) == 20, "20 connections")
        for peer in peers:
            peer.close()
        bed.until(lambda: not guests, "no connection")
    assert len(bed.loop.wheel) == 0
