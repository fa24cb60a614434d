"""One exchange: what the upstream gets, what the client gets, and when another try is allowed."""

import socket

import pytest

from tako_modules.model import snapshot as model
from tako_modules.proxy.downstream import Client

from .bed import Bed, Peer, Server, address, app

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def refused_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def warm(bed: Bed, server: Server) -> tuple[Peer, Peer]:
    """Have a client and an upstream connection that have served one request."""
    client = bed.client(GET)
    upstream = server.accept()
    upstream.head()
    upstream.send(OK)
    client.answer()
    return client, upstream


def test_a_request_reaches_the_instance_and_its_answer_the_client(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(b"GET /x?y=1 HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nX-Request-Id: mine\r\n\r\n")
    upstream = server.accept()
    head = upstream.head()
    assert head.startswith(b"GET /x?y=1 HTTP/1.1\r\nHost: a.test\r\n")
    assert b"\r\nAccept: */*\r\n" in head
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in head
    assert b"\r\nX-Forwarded-Port: %d\r\n" % bed.ports["http"] in head
    assert head.count(b"X-Request-Id: ") == 1
    assert b"mine" not in head
    upstream.send(OK)
    assert client.answer() == OK


def test_both_connections_are_used_again(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client, upstream = warm(bed, server)
    for _ in range(5):
        client.send(GET)
        upstream.head()
        upstream.send(OK)
        assert client.answer() == OK
    assert server.quiet()


def test_request_ids_differ(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client, upstream = warm(bed, server)
    seen = set()
    for _ in range(3):
        client.send(GET)
        line = next(line for line in upstream.head().split(b"\r\n") if line.startswith(b"X-Request-Id"))
        seen.add(line)
        upstream.send(OK)
        client.answer()
    assert len(seen) == 3


def test_the_least_busy_instance_gets_the_request(bed: Bed) -> None:
    one, two = bed.server(), bed.server()
    bed.publish(app(address(one.port), address(two.port, "two")))
    clients = [bed.client(GET) for _ in range(4)]
    bed.settle()
    assert {one: 2, two: 2} == {server: sum(1 for _ in range(2) if server.accept().head()) for server in (one, two)}
    assert one.quiet()
    assert two.quiet()
    assert len(clients) == 4


def test_a_stale_connection_is_replaced_for_a_repeatable_request(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client, upstream = warm(bed, server)
    client.send(GET)
    upstream.head()
    upstream.close()
    fresh = server.accept()
    fresh.head()
    fresh.send(OK)
    assert client.answer() == OK
    assert bed.served().failed == 0


def test_a_post_that_was_sent_is_not_sent_again(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client, upstream = warm(bed, server)
    client.send(POST + b"body")
    upstream.until(b"body")
    upstream.close()
    assert client.answer().startswith(b"HTTP/1.1 502 ")
    assert server.quiet()
    assert bed.served().failed == 1


def test_a_post_does_not_go_to_a_connection_that_may_just_be_closing(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client, _ = warm(bed, server)
    bed.skip(1.5)
    client.send(POST + b"body")
    fresh = server.accept()
    fresh.until(b"body")
    fresh.send(OK)
    assert client.answer() == OK


def test_a_fresh_connection_that_dies_is_not_tried_again(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(GET)
    upstream = server.accept()
    upstream.head()
    upstream.close()
    assert client.answer().startswith(b"HTTP/1.1 502 ")
    assert bed.fact(model.UpstreamFailed).instance == "one"


@pytest.mark.parametrize("request_bytes", [GET, POST + b"body"], ids=["get", "post"])
def test_a_refused_connection_sends_the_request_to_the_next_instance(bed: Bed, request_bytes: bytes) -> None:
    server = bed.server()
    bed.publish(app(address(refused_port(), "dead"), address(server.port, "alive")))
    for _ in range(4):
        client = bed.client(request_bytes)
        upstream = server.accept()
        upstream.until(request_bytes[-4:])
        upstream.send(OK)
        assert client.answer() == OK
        upstream.close()
        bed.skip(0.3)
    assert bed.fact(model.UpstreamFailed).instance == "dead"
    assert bed.served().failed == 0


def test_a_refused_request_without_another_instance_is_answered_502(bed: Bed) -> None:
    bed.publish(app(address(refused_port())))
    answer = bed.client(GET).answer()
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"Cache-Control: no-store" in answer
    assert b"did not accept" in answer


def test_a_refused_request_waits_where_requests_may_wait(bed: Bed) -> None:
    port = refused_port()
    bed.publish(app(address(port), hold=model.Hold(waiting=5, bytes=100_000, seconds=10.0)))
    client = bed.client(POST + b"body")
    bed.fact(model.UpstreamFailed)
    server = bed.server(port)
    bed.skip(1.0)
    upstream = server.accept()
    assert upstream.until(b"body").startswith(b"POST /")
    upstream.send(OK)
    assert client.answer() == OK


def test_no_new_request_goes_to_a_withdrawn_instance_and_running_ones_finish(bed: Bed) -> None:
    old, new = bed.server(), bed.server()
    bed.publish(app(address(old.port)))
    client = bed.client(GET)
    upstream = old.accept()
    upstream.head()
    bed.publish(app(address(new.port, "two", "v2")))
    facts = [fact for fact in bed.read_facts() if isinstance(fact, model.InFlight | model.Applied)]
    assert isinstance(facts[-2], model.InFlight)
    assert facts[-2].instances == {"one": 1}
    other = bed.client(GET)
    new.accept().send(OK)
    assert other.answer() == OK
    upstream.send(OK)
    assert client.answer() == OK
    bed.until(lambda: bed.fact(model.InFlight).instances.get("one") == 0, "in flight: 0")
    assert upstream.rest() == b""


@pytest.mark.parametrize("begun", [b"HTTP/1.1 20", b"HTTP/1.1 103 Early Hints\r\n\r\n"], ids=["head", "interim"])
def test_there_is_no_second_try_when_an_answer_has_begun(bed: Bed, begun: bytes) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client, upstream = warm(bed, server)
    client.send(GET)
    upstream.head()
    upstream.send(begun)
    bed.settle()
    upstream.close()
    client.until(b"HTTP/1.1 502 ")
    assert server.quiet()


def test_a_connection_with_a_body_that_the_instance_has_not_taken_is_not_used_again(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n")
    upstream = server.accept()
    upstream.head()
    guest = next(iter(bed.worker.context.guests))
    assert isinstance(guest, Client)
    link = guest.link
    assert link is not None
    while not link.stream.queued:
        client.send(b"1f00\r\n" + b"x" * 0x1F00 + b"\r\n")
        bed.turn()
    client.send(b"0\r\n\r\n")
    bed.until(lambda: not guest.uploading, "the end of the body")
    upstream.send(OK)
    assert client.answer() == OK
    client.send(GET)
    assert server.accept().head().startswith(b"GET / ")


def test_a_retry_never_goes_to_a_withdrawn_instance(bed: Bed) -> None:
    old, new = bed.server(), bed.server()
    bed.publish(app(address(old.port)))
    client, upstream = warm(bed, old)
    client.send(GET)
    upstream.head()
    bed.publish(app(address(new.port, "two")))
    upstream.close()
    fresh = new.accept()
    fresh.send(OK)
    assert client.answer() == OK
    assert old.quiet()


def test_connections_of_clients_outlive_a_rollout(bed: Bed) -> None:
    old, new = bed.server(), bed.server()
    bed.publish(app(address(old.port)))
    client, upstream = warm(bed, old)
    bed.publish(app(address(new.port, "two", "v2")))
    assert upstream.rest() == b""
    client.send(GET)
    new.accept().send(OK)
    assert client.answer() == OK
    assert bed.served("v1").finished == 1
    assert bed.served("v2").finished == 1


def test_an_idle_connection_that_the_instance_closes_is_forgotten(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client, upstream = warm(bed, server)
    upstream.close()
    bed.settle()
    client.send(POST + b"body")
    server.accept().send(OK)
    assert client.answer() == OK


def test_bytes_on_an_idle_connection_end_it(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client, upstream = warm(bed, server)
    upstream.send(OK)
    assert upstream.rest() == b""
    client.send(GET)
    server.accept().send(OK)
    assert client.answer() == OK


def test_idle_connections_are_closed_before_the_instance_would(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    _, upstream = warm(bed, server)
    bed.skip(6.0)
    assert upstream.rest() == b""


def test_a_client_that_leaves_ends_the_exchange(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(GET)
    upstream = server.accept()
    upstream.head()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    client.close()
    upstream.rest()
    count = bed.served()
    assert (count.started, count.finished, count.failed) == (1, 1, 0)


def test_an_answer_that_takes_too_long_is_504(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port), limits=model.Limits(first_byte_seconds=3.0)))
    client = bed.client(GET)
    server.accept().head()
    bed.skip(5.0)
    assert client.answer().startswith(b"HTTP/1.1 504 ")
    assert bed.served().failed == 1


def test_an_answer_that_stops_is_cut_so_that_the_client_notices(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(GET)
    upstream = server.accept()
    upstream.head()
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    client.until(b"half")
    upstream.close()
    client.rest()
    count = bed.served()
    assert (count.finished, count.failed, count.app_errors) == (1, 1, 0)


def test_errors_of_the_app_are_counted_apart(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(GET)
    server.accept().send(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops")
    assert client.answer().startswith(b"HTTP/1.1 500 Oops")
    count = bed.served()
    assert (count.started, count.finished, count.failed, count.app_errors) == (1, 1, 0, 1)
    assert (count.bytes_out, sum(count.latency)) == (4, 1)


def test_an_exchange_that_an_exception_ends_has_failed(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(GET)
    upstream = server.accept()
    upstream.head()
    guest = next(iter(bed.worker.context.guests))
    assert isinstance(guest, Client)
    guest.broken()
    client.rest()
    upstream.rest()
    count = bed.served()
    assert (count.started, count.finished, count.failed) == (1, 1, 1)
