"""Requests that wait for an instance."""

import pytest

from tako_modules.model import snapshot as model
from tako_modules.proxy.hold import BATCH

from .bed import Bed, address, app

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HOLD = model.Hold(waiting=3, bytes=100_000, seconds=30.0)


def test_requests_wait_in_order_until_an_instance_is_there(bed: Bed) -> None:
    bed.publish(app(hold=HOLD))
    clients = []
    for number in range(3):
        clients.append(bed.client(b"GET /%d HTTP/1.1\r\nHost: a.test\r\n\r\n" % number))
        bed.settle()
    assert bed.fact(model.WakeRequested).app == "shop"
    server = bed.server()
    bed.publish(app(address(server.port), hold=HOLD))
    for number, client in enumerate(clients):
        upstream = server.accept()
        assert upstream.head().startswith(b"GET /%d " % number)
        upstream.send(OK)
        assert client.answer() == OK
    assert bed.served().failed == 0


def test_a_body_waits_at_the_client_and_arrives(bed: Bed) -> None:
    bed.publish(app(hold=HOLD))
    body = b"x" * 3_000_000
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % len(body))
    sent = 0
    for _ in range(100):
        sent += client.offer(body[sent:])
        bed.turn()
    server = bed.server()
    bed.publish(app(address(server.port), hold=HOLD))
    upstream = server.accept()
    upstream.head()
    got = 0
    while got < len(body):
        sent += client.offer(body[sent:])
        bed.turn()
        upstream.poll()
        got += len(upstream.got)
        upstream.got = b""
    upstream.send(OK)
    assert client.answer() == OK


def test_the_wake_is_asked_for_again_every_second(bed: Bed) -> None:
    bed.publish(app(hold=HOLD))
    for _ in range(3):
        bed.client(GET)
        bed.settle()
    bed.fact(model.WakeRequested)
    bed.skip(3.2)
    assert sum(isinstance(fact, model.WakeRequested) for fact in bed.read_facts()) in (4, 5)


def test_who_waits_too_long_gets_504(bed: Bed) -> None:
    bed.publish(app(hold=model.Hold(waiting=3, bytes=10_000, seconds=5.0)))
    client = bed.client(GET)
    bed.settle()
    bed.skip(7.0)
    assert client.answer().startswith(b"HTTP/1.1 504 ")
    client.send(GET)
    bed.settle()
    assert len(bed.worker.roster.apps["shop"].queue) == 1


def test_one_too_many_is_refused_at_once(bed: Bed) -> None:
    bed.publish(app(hold=HOLD))
    for _ in range(3):
        bed.client(GET)
        bed.settle()
    answer = bed.client(GET).answer()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1\r\n" in answer


def test_bytes_are_counted_as_well(bed: Bed) -> None:
    bed.publish(app(hold=model.Hold(waiting=100, bytes=5000, seconds=30.0)))
    large = b"GET / HTTP/1.1\r\nHost: a.test\r\nX: " + b"y" * 3000 + b"\r\n\r\n"
    bed.client(large)
    bed.settle()
    assert bed.client(large).answer().startswith(b"HTTP/1.1 503 ")


def test_room_is_made_by_a_client_that_leaves(bed: Bed) -> None:
    bed.publish(app(hold=HOLD))
    clients = [bed.client(GET) for _ in range(3)]
    bed.settle()
    clients[0].sock.setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")
    clients[0].close()
    bed.settle()
    assert len(bed.worker.roster.apps["shop"].queue) == 2


def test_an_app_that_cannot_start_says_why(bed: Bed) -> None:
    bed.publish(app(hold=HOLD))
    waiting = bed.client(GET)
    bed.settle()
    bed.publish(app(hold=HOLD, error="exited with code 3"))
    answer = waiting.answer()
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"exited with code 3" in answer
    assert bed.client(GET).answer().startswith(b"HTTP/1.1 502 ")
    assert bed.served().failed == 2


def test_nobody_waits_for_an_app_without_hold(bed: Bed) -> None:
    bed.publish(app())
    answer = bed.client(GET).answer()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1\r\n" in answer


def test_who_waits_for_an_app_that_is_deleted_is_told(bed: Bed) -> None:
    bed.publish(app(hold=HOLD))
    client = bed.client(GET)
    bed.settle()
    bed.publish()
    assert client.answer().startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("count", [BATCH * 3 + 10])
def test_many_are_let_go_at_a_growing_pace(bed: Bed, count: int) -> None:
    hold = model.Hold(waiting=1000, bytes=1_000_000, seconds=30.0)
    bed.publish(app(hold=hold))
    for _ in range(count):
        bed.client(GET)
        bed.turn()
    bed.settle()
    queue = bed.worker.roster.apps["shop"].queue
    assert len(queue) == count
    server = bed.server()
    bed.publish(app(address(server.port), hold=hold))
    assert len(queue) == count - BATCH
    bed.skip(0.06)
    assert len(queue) == count - 3 * BATCH
    bed.skip(0.06)
    assert len(queue) == 0
    bed.client(GET)
    bed.settle()
    assert len(queue) == 0


def test_a_held_request_that_expects_100_continue_sends_no_body_before(bed: Bed) -> None:
    bed.publish(app(hold=HOLD))
    client = bed.client(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    bed.settle()
    client.poll()
    assert client.got == b""
    server = bed.server()
    bed.publish(app(address(server.port), hold=HOLD))
    upstream = server.accept()
    upstream.head()
    upstream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.head()
    client.send(b"body")
    upstream.until(b"body")
    upstream.send(OK)
    assert client.answer() == OK
