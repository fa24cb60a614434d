"""The life of a worker: snapshots in their order, reports, and leaving."""

import resource

import msgspec
import pytest

from tako_modules.http import websocket
from tako_modules.model import snapshot as model

from .bed import BARE, Bed, address, app
from .test_tunnel import tunnel

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def drain(bed: Bed, seconds: float = 30.0) -> None:
    """Order the worker to leave."""
    bed.control.send(model.encode(model.Drain(seconds=seconds)))
    bed.settle()


def gone(bed: Bed) -> bool:
    """Tell whether the worker has nothing left to do."""
    return bed.worker.context.draining and not bed.worker.context.guests


def test_older_snapshots_are_ignored_and_the_same_one_is_acknowledged_again(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    bed.publish(app(address(server.port)))
    bed.facts.clear()
    bed.send_snapshot(msgspec.structs.replace(BARE, generation=1))
    bed.send_snapshot(msgspec.structs.replace(BARE, generation=2))
    bed.settle()
    assert bed.read_facts() == [model.Applied(epoch=1, generation=2)]
    bed.client(GET)
    server.accept()


def test_a_new_epoch_begins_anew(bed: Bed) -> None:
    bed.publish(app())
    bed.send_snapshot(model.Snapshot(epoch=2, generation=1))
    bed.until(lambda: bed.fact(model.Applied) == model.Applied(epoch=2, generation=1), "the new epoch")


def test_a_new_control_is_told_what_the_former_one_knew(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    bed.client(GET)
    bed.settle()
    bed.skip(1.2)
    bed.read_facts()
    bed.facts.clear()
    bed.send_snapshot(model.Snapshot(epoch=2, generation=1))
    bed.settle()
    facts = bed.read_facts()
    busy = facts.index(model.InFlight(instances={"one": 1}))
    assert busy < facts.index(model.Applied(epoch=2, generation=1)), "else it would be taken for idle"
    bed.skip(1.2)
    assert [count.started for count in bed.fact(model.Served).counts] == [1]


def test_of_several_snapshots_only_the_last_is_applied(bed: Bed) -> None:
    for generation in (1, 2, 3):
        bed.send_snapshot(msgspec.structs.replace(BARE, generation=generation))
    bed.settle()
    assert bed.read_facts() == [model.Applied(epoch=1, generation=3)]


def test_what_is_no_snapshot_is_ignored(bed: Bed) -> None:
    bed.control.send(b"\xc1")
    bed.publish(app(routes=("not a route", "a.test")))
    assert bed.client(GET).answer().startswith(b"HTTP/1.1 503 ")


def test_requests_in_flight_are_reported_every_second(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    bed.client(GET)
    bed.client(GET)
    bed.settle()
    bed.skip(1.2)
    assert bed.fact(model.InFlight).instances == {"one": 2}
    assert bed.fact(model.Served).connections == 2


def test_counters_survive_a_control_that_does_not_read(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(GET)
    upstream = server.accept()
    for _ in range(20):
        upstream.head()
        upstream.send(OK)
        client.answer()
        bed.skip(30.0)
        upstream = upstream if not upstream.ended else server.accept()
        client.send(GET)
        upstream = server.accept()
    bed.read_facts()
    bed.skip(2.0)
    assert bed.served().finished == 20


def test_draining_finishes_what_runs_and_says_that_it_was_the_last(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(GET)
    upstream = server.accept()
    upstream.head()
    drain(bed)
    upstream.send(OK)
    answer = client.rest()
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"ok")
    assert gone(bed)


def test_draining_serves_the_first_request_of_a_connection_that_was_open(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client()
    bed.settle()
    drain(bed)
    bed.skip(3.0)
    client.send(GET)
    upstream = server.accept()
    upstream.head()
    upstream.send(OK)
    assert b"\r\nConnection: close\r\n" in client.rest()
    assert gone(bed)


def test_draining_accepts_what_was_queued_and_nothing_more(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    queued = bed.client(GET)
    drain(bed)
    upstream = server.accept()
    later = bed.client(GET)
    upstream.head()
    upstream.send(OK)
    assert b"Connection: close" in queued.rest()
    bed.settle()
    later.poll()
    assert later.got == b""
    assert gone(bed)


def test_draining_closes_connections_that_stay_silent(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(GET)
    server.accept().send(OK)
    client.answer()
    drain(bed)
    bed.skip(7.0)
    assert client.rest() == b""
    assert gone(bed)


def test_draining_ends_websockets_at_the_end(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client, upstream = tunnel(bed, server)
    drain(bed, 10.0)
    bed.skip(3.0)
    client.poll()
    assert client.got == b""
    bed.skip(3.0)
    assert client.until(websocket.close_frame(1012))
    upstream.close()
    client.rest()
    assert gone(bed)


def test_what_is_not_done_at_the_deadline_is_cut_and_counted(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(GET)
    server.accept().head()
    drain(bed, 10.0)
    bed.skip(11.0)
    client.rest()
    assert client.was_reset
    assert gone(bed)
    assert bed.served().failed == 1


def test_of_several_orders_to_leave_the_shortest_counts(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    client = bed.client(GET)
    server.accept().head()
    drain(bed)
    drain(bed, 3.0)
    bed.skip(4.0)
    client.rest()
    assert gone(bed)


def test_a_worker_that_nobody_knows_leaves(bed: Bed) -> None:
    bed.publish(app())
    bed.control.close()
    bed.settle()
    assert gone(bed)


def test_idle_connections_make_room_when_there_are_no_descriptors_left(
    bed: Bed, capfd: pytest.CaptureFixture[str]
) -> None:
    server = bed.server()
    bed.publish(app(address(server.port)))
    idle, busy = bed.client(GET), bed.client()
    upstream = server.accept()
    upstream.head()
    upstream.send(OK)
    idle.answer()
    busy.send(GET)
    upstream.head()
    late = bed.client()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (late.sock.fileno() + 1, hard))
    try:
        assert idle.rest() == b""
        late.send(b"GET / HTTP/1.1\r\nHost: x.test\r\n\r\n")
        bed.skip(1.0)
        assert late.answer().startswith(b"HTTP/1.1 404 ")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    upstream.send(OK)
    assert busy.answer() == OK
    assert "accept.full" in capfd.readouterr().err
