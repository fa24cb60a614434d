"""Connections that change their protocol."""

from tako_modules.http import websocket
from tako_modules.model import snapshot as model

from .bed import ROOM, Bed, Peer, Server, address, app

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ASK = (
    b"GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)
YES = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "
    + websocket.accept_key(KEY)
    + b"\r\n\r\n"
)
OTHER = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"
OTHER_YES = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"
HELLO = b"\x81\x05hello"
GOODBYE = websocket.close_frame(1012)


def tunnel(bed: Bed, server: Server, ask: bytes = ASK, yes: bytes = YES, room: int = 0) -> tuple[Peer, Peer]:
    """Have a tunnel through the worker."""
    client = bed.client(ask, room=room)
    upstream = server.accept()
    upstream.head()
    upstream.send(yes)
    assert client.head().startswith(b"HTTP/1.1 101 ")
    return client, upstream


def begun(bed: Bed) -> Server:
    """Have an app with one instance."""
    server = bed.server()
    bed.publish(app(address(server.port)))
    return server


def test_bytes_go_both_ways(bed: Bed) -> None:
    client, upstream = tunnel(bed, begun(bed))
    client.send(b"from the client")
    upstream.until(b"from the client")
    upstream.send(HELLO)
    client.until(HELLO)


def test_the_request_keeps_its_wish_and_the_answer_its_consent(bed: Bed) -> None:
    server = begun(bed)
    client = bed.client(ASK)
    upstream = server.accept()
    head = upstream.head()
    assert b"\r\nUpgrade: websocket\r\n" in head
    assert b"\r\nConnection: Upgrade\r\n" in head
    upstream.send(YES + HELLO)
    answer = client.until(HELLO)
    assert b"\r\nUpgrade: websocket\r\n" in answer


def test_a_refused_wish_is_an_ordinary_answer(bed: Bed) -> None:
    server = begun(bed)
    client = bed.client(ASK)
    upstream = server.accept()
    upstream.head()
    upstream.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    assert client.answer().startswith(b"HTTP/1.1 403 ")
    client.send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    upstream.head()


def test_half_close_goes_through(bed: Bed) -> None:
    client, upstream = tunnel(bed, begun(bed), OTHER, OTHER_YES)
    client.send(b"last words")
    client.sock.shutdown(1)
    assert upstream.rest() == b"last words"
    upstream.send(b"answer")
    upstream.close()
    assert client.rest() == b"answer"
    assert not bed.worker.context.guests
    count = bed.served()
    assert (count.finished, count.failed, count.bytes_in, count.bytes_out) == (1, 0, 10, 6)


def test_a_slow_side_holds_back_the_other(bed: Bed) -> None:
    client, upstream = tunnel(bed, begun(bed), OTHER, OTHER_YES, room=ROOM)
    size, sent, got = 20 << 20, 0, 0
    piece = b"t" * (1 << 18)
    for _ in range(300):
        sent += upstream.offer(piece[: size - sent])
        bed.turn()
    assert sent < size
    while got < size:
        sent += upstream.offer(piece[: size - sent])
        bed.turn()
        client.poll()
        got += len(client.got)
        client.got = b""
    assert got == size


def test_what_the_upstream_said_before_it_was_lost_arrives(bed: Bed) -> None:
    client, upstream = tunnel(bed, begun(bed), OTHER, OTHER_YES)
    upstream.send(b"z" * 300_000)
    upstream.close()
    assert len(client.rest()) == 300_000


def test_an_open_tunnel_counts_as_in_flight(bed: Bed) -> None:
    client, upstream = tunnel(bed, begun(bed))
    bed.skip(1.2)
    assert bed.fact(model.InFlight).instances == {"one": 1}
    client.close()
    upstream.rest()
    upstream.close()
    bed.until(lambda: bed.fact(model.InFlight).instances == {"one": 0}, "in flight: 0")


def test_a_websocket_is_told_to_come_back_when_its_instance_was_withdrawn(bed: Bed) -> None:
    client, upstream = tunnel(bed, begun(bed))
    bed.publish(app())
    bed.skip(15.0)
    client.poll()
    assert client.got == b""
    bed.skip(6.0)
    assert client.until(GOODBYE) == GOODBYE
    upstream.send(HELLO)
    client.send(websocket.close_frame(1012, mask=b"abcd"))
    upstream.until(websocket.close_frame(1012, mask=b"abcd"))
    upstream.close()
    assert client.rest() == b""
    bed.until(lambda: bed.fact(model.InFlight).instances == {"one": 0}, "in flight: 0")


def test_the_close_frame_waits_for_the_end_of_a_frame(bed: Bed) -> None:
    client, upstream = tunnel(bed, begun(bed))
    upstream.send(HELLO[:4])
    client.until(HELLO[:4])
    bed.publish(app())
    bed.skip(21.0)
    client.poll()
    assert client.got == b""
    upstream.send(HELLO[4:] + HELLO)
    bed.settle()
    assert client.until(GOODBYE) == HELLO[4:] + HELLO + GOODBYE


def test_a_client_that_does_not_say_goodbye_is_cut(bed: Bed) -> None:
    client, upstream = tunnel(bed, begun(bed))
    bed.publish(app())
    bed.skip(28.0)
    assert client.rest() == GOODBYE
    upstream.rest()


def test_no_goodbye_when_the_instance_is_back(bed: Bed) -> None:
    server = begun(bed)
    client, _ = tunnel(bed, server)
    bed.publish(app())
    bed.publish(app(address(server.port)))
    bed.skip(25.0)
    client.poll()
    assert (client.got, client.ended) == (b"", False)


def test_a_tunnel_without_a_byte_ends_in_the_end(bed: Bed) -> None:
    client, _ = tunnel(bed, begun(bed))
    bed.clock.skipped += 3602.0
    bed.settle()
    bed.skip(2.0)
    client.rest()
