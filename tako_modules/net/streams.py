"""TCP streams on the loop: sending with a queue, pause and resume, half-close, deferred close; reading edge-triggered.

Rules of reading: a read shorter than its buffer has drained the socket, except when the peer's end was seen (that gives
no further edge); a full read comes back through `call_soon`, so that one fast sender does not starve the rest; an edge
that arrives while paused is remembered. Receivers get bytes, or a view of the loop's buffer for the time of the call.
"""

import errno
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol

from .loop import ERR, HUP, IN, OUT, RDHUP, Loop

__all__ = ["MARK", "SMALL", "Data", "Receiver", "Stream", "connect", "words"]

Data = bytes | memoryview

SMALL = 16384  # bytes of a usual read: larger buffers cost page faults for messages that are small
MARK = 64 << 10  # queued bytes above which the source should pause
ROOM = 64 << 10  # of the first large read; each full one doubles the next, up to the loop's whole buffer
PIECES = 64  # of one sendmsg; the kernel takes 1024 at most, a few dozen make the call's price vanish
_GONE = RDHUP | HUP | ERR
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds


class Receiver(Protocol):
    """Who a stream works for."""

    def on_open(self) -> None:
        """Take note: connected, or the TLS handshake is done."""

    def on_data(self, data: Data) -> None:
        """Take bytes; a memoryview is good during this call only."""

    def on_eof(self) -> None:
        """Take note: the peer sends no more, and may still read."""

    def on_drained(self) -> None:
        """Take note: everything that was queued has been sent."""

    def on_lost(self, reason: str) -> None:
        """Take note: the connection is gone, and closed on this side."""


class _Nobody:
    """The receiver of a closed stream, so that whoever it worked for can be freed at once."""

    def on_open(self) -> None:
        """Ignore it."""

    def on_data(self, data: Data) -> None:
        """Ignore them."""

    def on_eof(self) -> None:
        """Ignore it."""

    def on_drained(self) -> None:
        """Ignore it."""

    def on_lost(self, reason: str) -> None:
        """Ignore it."""


_NOBODY = _Nobody()


class Stream:
    """One TCP connection.

    paused: no data is delivered; bulky: reads may be large; ended: the peer sends no more; queued: bytes waiting to be
    sent; flushed: bytes that left the queue, ever; connecting: nothing has been sent yet, everything is queued.
    """

    __slots__ = (
        "_bulk",
        "_deliver",
        "_out",
        "_readable",
        "_reason",
        "_receiver",
        "_recv",
        "_recv_into",
        "_room",
        "_send",
        "_served",
        "_unread",
        "_wish",
        "bulky",
        "closed",
        "connecting",
        "ended",
        "fd",
        "flushed",
        "gone",
        "loop",
        "paused",
        "queued",
        "sock",
    )

    def __init__(self, loop: Loop, sock: socket.socket, *, served: bool) -> None:
        """served: the peer is a client; when it resets the connection, what it sent before is of no interest."""
        self.loop, self.sock, self.fd = loop, sock, sock.fileno()
        self._send: Callable[[Data], int] = sock.send
        self._recv, self._recv_into = sock.recv, sock.recv_into
        self._served = served
        self._out: deque[bytes] | None = None
        self._bulk = self._readable = False
        self._room = ROOM
        self._unread = memoryview(b"")
        self.bulky = not served
        self._wish = ""  # what happens once the queue is empty: "shut" or "close"
        self._reason = ""  # why this connection cannot live, found where nobody may be told yet
        self.closed = self.connecting = self.ended = self.gone = self.paused = False
        self.queued = self.flushed = 0

    def start(self, receiver: Receiver) -> None:
        """Begin to work for `receiver`."""
        self.attach(receiver)
        self.loop.add(self.fd, self._on_connect if self.connecting else self.on_event)

    def attach(self, receiver: Receiver) -> None:
        """Work for another receiver from now on."""
        self._receiver: Receiver = receiver
        self._deliver: Callable[[Data], None] = receiver.on_data

    # -- reading

    def on_event(self, mask: int) -> None:
        """Act on what the poller saw."""
        if mask & _GONE:
            self.gone = True
            if mask & (ERR | HUP) and (self.ended or (self.paused and self._served)):
                self.lost("reset by peer")
                return
        if mask & IN and not self.ended:
            if self.paused or self._unread:
                self._readable = True
            else:
                self._read()
        if mask & OUT and self._out is not None:
            self.flush()

    def _read(self) -> None:
        try:
            data: Data = self._recv_bulk() if self._bulk else self._recv(SMALL)
        except BlockingIOError:
            return
        except OSError as problem:
            self.lost(words(problem))
            return
        size = len(data)
        if not size:
            self._end()
            return
        if size == SMALL or self._bulk or self.gone:
            self._plan(size)
        self._deliver(data)

    def _recv_bulk(self) -> memoryview:
        return self.loop.buffer[: self._recv_into(self.loop.buffer, self._room)]

    def _plan(self, size: int) -> None:
        """Come back when there may be more than what a read of `size` bytes has brought."""
        if self._bulk:
            again = size == self._room
            if again:
                self._room = min(2 * size, len(self.loop.buffer))
            self._bulk = size >= SMALL and self.bulky
        else:
            again = size == SMALL
            self._bulk = again and self.bulky
        if again or self.gone:
            self.loop.call_soon(self._again)

    def _again(self) -> None:
        if self.closed:
            return
        if self.paused:
            self._readable = True
        elif self._unread:
            self._reread()
        elif not self.ended:
            self._read()

    def want_bulk(self, on: bool) -> None:
        """Say whether large reads are of use: inside a body they are, a head should not drag the next ones along."""
        self.bulky = on
        self._bulk = self._bulk and on

    def unread(self, data: bytes) -> None:
        """Take back the end of what was delivered, to deliver it again in small pieces, before what is still unread."""
        self._unread = memoryview(data + self._unread)
        self.loop.call_soon(self._again)

    def _reread(self) -> None:
        piece, self._unread = self._unread[:SMALL], self._unread[SMALL:]
        self.loop.call_soon(self._again)
        self._deliver(piece)

    def _end(self) -> None:
        self.ended = True
        self._receiver.on_eof()

    def pause(self) -> None:
        """Deliver nothing until `resume`; whoever takes it is slow, so that the next reads are not to be large."""
        self.paused = True
        self._room = ROOM

    def resume(self) -> None:
        """Deliver again; what came meanwhile comes through `call_soon`."""
        if self.paused:
            self.paused = False
            if self._readable:
                self._readable = False
                self.loop.call_soon(self._again)

    # -- writing

    def send(self, data: Data) -> bool:
        """Send or queue; true when so much is queued that the source should pause until `on_drained`."""
        if self._out is not None:
            self._out.append(bytes(data))
            self.queued += len(data)
            return self.queued > MARK
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError as problem:
            self._send_failed(problem)
            return False
        if sent == len(data):
            return False
        self._out = deque([bytes(memoryview(data)[sent:])])
        self.queued = len(data) - sent
        return self.queued > MARK

    def _send_failed(self, problem: OSError) -> None:
        """Send nothing any more; the peer may have said something before it closed, so reading decides on the end."""
        self._send = len  # of every further message it seems that all was sent
        self._out, self.queued = None, 0
        self.gone = True
        self._reason = words(problem)
        self.loop.call_soon(self._give_up if self._served or self.ended else self._again)

    def flush(self) -> None:
        """Send what is queued, as far as the peer takes it."""
        out = self._out
        try:
            while out:
                self._shorten(out, self.sock.sendmsg([out[index] for index in range(min(len(out), PIECES))]))
        except BlockingIOError:
            return
        except OSError as problem:
            self._send_failed(problem)
            return
        self._out = None
        if self._wish:
            self._fulfil()
        else:
            self._receiver.on_drained()

    def _shorten(self, out: deque[bytes], sent: int) -> None:
        self.queued -= sent
        self.flushed += sent
        while out and sent >= len(out[0]):
            sent -= len(out.popleft())
        if sent:
            out[0] = out[0][sent:]

    def unsent(self) -> list[bytes]:
        """Give what is queued and has not been sent."""
        return list(self._out or ())

    # -- ending

    def shut(self) -> None:
        """Send no more once the queue is empty; the peer may still send."""
        self._wish = self._wish or "shut"
        if self._out is None:
            self._fulfil()

    def finish(self) -> None:
        """Close once the queue is empty, and tell the receiver when that is so (`on_lost` without a reason)."""
        self._wish = "close"
        if self._out is None:
            self._fulfil()

    def _fulfil(self) -> None:
        if self._wish == "close":
            self.lost("")
            return
        if self.closed:
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as problem:
            self._send_failed(problem)

    def close(self) -> None:
        """Close now; nothing is delivered or reported after this."""
        if not self.closed:
            self.closed = True
            self._send = len
            if not self.connecting:  # what could not be sent to this peer may be for another one
                self._out = None
            self.attach(_NOBODY)
            self.loop.discard(self.sock)

    def reset(self) -> None:
        """Close so that the peer cannot take what it got for the whole."""
        if not self.closed:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.close()

    def lost(self, reason: str) -> None:
        """Close and tell the receiver."""
        if not self.closed:
            receiver = self._receiver
            self.close()
            receiver.on_lost(reason)

    def broken(self) -> None:
        """Give up: a handler raised."""
        self.lost("internal error")

    # -- connecting

    def _on_connect(self, mask: int) -> None:
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code or self._reason:
            self.lost(self._reason or os.strerror(code))
        elif mask & (OUT | HUP | ERR):
            self.connecting = False
            self.loop.handle(self.fd, self.on_event)
            self._receiver.on_open()
            if self._out is not None and not self.closed:
                self.flush()
            if not self.closed:
                self.on_event(mask & ~OUT)

    def begin(self, host: str, port: int) -> None:
        """Begin to connect: what is sent from now on waits until the connection stands."""
        self.connecting = True
        self._out = deque()
        try:
            self.sock.connect((host, port))
        except BlockingIOError:
            return
        except OSError as problem:
            self._reason = words(problem)
            self.loop.call_soon(self._give_up)

    def _give_up(self) -> None:
        self.lost(self._reason)


def connect(loop: Loop, host: str, port: int) -> Stream:
    """Begin a connection; what is sent meanwhile waits. The result comes as `on_open` or `on_lost`, never at once.

    Raises OSError when there is no descriptor left.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = Stream(loop, sock, served=False)
    stream.begin(host, port)
    return stream


def words(problem: OSError) -> str:
    """Say what went wrong with a connection."""
    if problem.errno == errno.ECONNRESET:
        return "reset by peer"
    return problem.strerror or type(problem).__name__
