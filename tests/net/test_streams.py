"""Plain streams over real sockets."""

import contextlib
import socket

import pytest

from tako_modules.net import streams

from .pairs import Ear, Turner

BIG = bytes(range(256)) * 40_000


def take(turn: Turner, peer: socket.socket, size: int) -> bytes:
    """Read at the peer until there is enough."""
    got = bytearray()

    def enough() -> bool:
        with contextlib.suppress(BlockingIOError):
            got.extend(peer.recv(1 << 20))
        return len(got) >= size

    turn.until(enough)
    return bytes(got)


def test_small_messages(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    peer.send(b"ping")
    turn.until(lambda: ear.got == b"ping")
    assert stream.send(b"pong") is False
    assert take(turn, peer, 4) == b"pong"


def test_a_slow_peer_gets_everything_in_order(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    assert stream.send(BIG) is True
    assert stream.send(b"the end") is True
    assert stream.queued > 0
    assert take(turn, peer, len(BIG) + 7) == BIG + b"the end"
    turn.until(lambda: "drained" in ear.heard)
    assert stream.queued == 0
    assert stream.flushed > 0
    assert stream.send(b"x") is False


def test_a_view_may_be_sent_and_its_buffer_used_again(turn: Turner) -> None:
    stream, peer = turn.pair(Ear())
    buffer = bytearray(BIG)
    stream.send(memoryview(buffer))
    buffer[:] = b"\0" * len(buffer)
    assert take(turn, peer, len(BIG)) == BIG


@pytest.mark.parametrize("bulky", [True, False], ids=["bulk", "small"])
def test_a_fast_peer_is_read_whole_and_not_all_at_once(turn: Turner, bulky: bool) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    stream.want_bulk(bulky)
    sent = 0
    while sent < len(BIG):
        with contextlib.suppress(BlockingIOError):
            sent += peer.send(BIG[sent:])
        turn.loop.turn()
    turn.until(lambda: len(ear.got) == len(BIG))
    assert ear.got == BIG
    assert max(ear.sizes) <= (len(turn.loop.buffer) if bulky else streams.SMALL)
    assert (max(ear.sizes) > streams.SMALL) == bulky


def test_a_paused_stream_delivers_nothing_and_forgets_nothing(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    turn.settle()
    stream.pause()
    peer.send(b"later")
    turn.settle()
    assert ear.got == b""
    stream.resume()
    turn.until(lambda: ear.got == b"later")


def test_a_pause_inside_a_delivery_holds(turn: Turner) -> None:
    ear = Ear(lambda _: stream.pause())
    stream, peer = turn.pair(ear)
    peer.setblocking(True)
    peer.sendall(b"x" * 100_000)
    turn.settle()
    assert ear.sizes == [streams.SMALL]
    while len(ear.got) < 100_000:
        stream.resume()
        turn.settle()


def test_what_is_unread_comes_again_in_small_pieces_and_before_what_is_new(turn: Turner) -> None:
    def once(data: bytes) -> None:
        if data == b"begin":
            stream.unread(b"u" * 40_000)

    ear = Ear(once)
    stream, peer = turn.pair(ear)
    peer.send(b"begin")
    turn.until(lambda: len(ear.sizes) >= 1)
    peer.send(b"new")
    turn.until(lambda: ear.got.endswith(b"new"))
    assert ear.got == b"begin" + b"u" * 40_000 + b"new"
    assert max(ear.sizes) <= streams.SMALL


def test_what_is_unread_in_parts_keeps_its_order(turn: Turner) -> None:
    def twice(data: bytes) -> None:
        if data == b"begin":
            stream.unread(b"later" * 10_000)
            stream.unread(b"first" * 10_000)

    ear = Ear(twice)
    stream, peer = turn.pair(ear)
    peer.send(b"begin")
    turn.until(lambda: len(ear.got) >= 100_005)
    assert ear.got == b"begin" + b"first" * 10_000 + b"later" * 10_000


def test_large_reads_begin_small_and_do_so_again_after_a_pause(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    stream.want_bulk(True)
    for _ in range(2):
        ear.sizes.clear()
        stream.pause()
        sent = 0
        while sent < 400_000:
            try:
                sent += peer.send(b"x" * (400_000 - sent))
            except BlockingIOError:
                break
            turn.settle()
        stream.resume()
        turn.settle()
        assert all(size <= streams.ROOM << index for index, size in enumerate(ear.sizes))
        assert sum(ear.sizes) == sent


def test_data_and_the_end_together(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    peer.send(b"last")
    peer.close()
    turn.until(lambda: ear.heard == ["eof"])
    assert ear.got == b"last"
    assert stream.ended
    assert not stream.closed


def test_the_end_is_told_once_and_sending_goes_on(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    peer.shutdown(socket.SHUT_WR)
    turn.until(lambda: ear.heard == ["eof"])
    stream.send(BIG)
    assert take(turn, peer, len(BIG)) == BIG
    turn.settle()
    assert ear.heard == ["eof", "drained"]


def test_a_reset_is_a_loss(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    peer.close()
    turn.until(lambda: ear.heard == ["lost reset by peer"])
    assert stream.closed


def test_a_paused_client_that_resets_is_lost_at_once(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    turn.settle()
    stream.pause()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    peer.close()
    turn.until(lambda: ear.heard == ["lost reset by peer"])


def test_what_an_upstream_said_before_it_reset_is_read(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear, served=False)
    stream.send(b"unread by the peer, so that closing resets")
    turn.settle()
    peer.send(b"answer")
    peer.close()
    turn.until(lambda: bool(ear.heard))
    assert ear.got == b"answer"
    assert ear.heard == ["lost reset by peer"]


def test_sending_to_a_peer_that_is_gone_is_a_loss_and_no_exception(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    peer.close()
    assert stream.send(b"x") is False
    assert stream.send(b"y") is False
    turn.until(lambda: stream.closed)
    assert ear.heard[-1].startswith("lost")
    assert stream.send(b"z") is False


def test_shut_waits_for_the_queue_and_reading_goes_on(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    stream.send(BIG)
    stream.shut()
    assert take(turn, peer, len(BIG)) == BIG
    turn.settle()
    peer.setblocking(True)
    assert peer.recv(1) == b""
    peer.send(b"still here")
    turn.until(lambda: ear.got == b"still here")


def test_finish_waits_for_the_queue_and_tells_when_it_is_done(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    stream.send(BIG)
    stream.finish()
    assert not stream.closed
    assert take(turn, peer, len(BIG)) == BIG
    turn.until(lambda: ear.heard == ["lost"])
    assert stream.closed


def test_a_closed_stream_tells_nothing(turn: Turner) -> None:
    ear = Ear()
    stream, peer = turn.pair(ear)
    peer.send(b"x")
    stream.close()
    stream.close()
    turn.settle()
    assert (ear.got, ear.heard) == (b"", [])


def test_reset_is_seen_by_the_peer(turn: Turner) -> None:
    stream, peer = turn.pair(Ear())
    stream.reset()
    turn.settle()
    with pytest.raises(ConnectionResetError):
        peer.recv(1)


def test_connecting_sends_what_waited(turn: Turner) -> None:
    ear = Ear()
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = streams.connect(turn.loop, "127.0.0.1", server.getsockname()[1])
        stream.send(b"early ")
        stream.start(ear)
        stream.send(b"bird")
        assert stream.unsent() == [b"early ", b"bird"]
        turn.until(lambda: "open" in ear.heard)
        peer, _ = server.accept()
    with peer:
        assert take(turn, peer, 10) == b"early bird"
        assert not stream.connecting
        assert stream.unsent() == []
        stream.close()


def test_a_refused_connection_gives_back_what_waited(turn: Turner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    ear = Ear()
    stream = streams.connect(turn.loop, "127.0.0.1", port)
    stream.start(ear)
    stream.send(b"nobody reads this")
    assert ear.heard == []
    turn.until(lambda: bool(ear.heard))
    assert ear.heard == ["lost Connection refused"]
    assert stream.connecting
    assert stream.unsent() == [b"nobody reads this"]


def test_an_address_that_cannot_be_reached_is_a_loss_and_no_exception(turn: Turner) -> None:
    ear = Ear()
    stream = streams.connect(turn.loop, "255.255.255.255", 9)
    stream.start(ear)
    turn.until(lambda: bool(ear.heard))
    assert ear.heard[0].startswith("lost ")
    assert len(ear.heard) == 1


def test_an_exception_of_the_receiver_ends_the_stream(turn: Turner, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(_: bytes) -> None:
        raise ValueError("bug")

    ear = Ear(fail)
    stream, peer = turn.pair(ear)
    peer.send(b"x")
    turn.until(lambda: stream.closed)
    assert ear.heard == ["lost internal error"]
    assert "bug" in capfd.readouterr().err
    turn.loop.failures = 0
