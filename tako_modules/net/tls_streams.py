"""TLS streams: the interface of a plain stream, with OpenSSL between two memory buffers.

Bytes that wait inside OpenSSL give no event, so reading goes on until both its buffers are empty. What came before a
close or an error of the peer is delivered first.
"""

import contextlib
import socket
import ssl

from .loop import Loop
from .streams import SMALL, Data, Stream, words

__all__ = ["Shaker", "TlsStream"]

RECORD = 16384  # plaintext of one TLS record at most (RFC 8446 5.1): one read never needs more
PIECE = 64 << 10  # plaintext handed to OpenSSL at once: what it holds back stays small
_ENDED = "ended"


class Shaker:
    """The listening context, and how many connections are in their handshake (0.4 ms of the loop's time each)."""

    __slots__ = ("context", "pending")

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.pending = 0


class TlsStream(Stream):
    """A server's side of one TLS connection; `on_open` comes when the handshake is done."""

    __slots__ = ("_cipher_in", "_cipher_out", "_shaker", "_shaking", "_tls", "_verdict")

    def __init__(self, loop: Loop, sock: socket.socket, shaker: Shaker) -> None:
        super().__init__(loop, sock, served=True)
        self._cipher_in, self._cipher_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = shaker.context.wrap_bio(self._cipher_in, self._cipher_out, server_side=True)
        self._shaker = shaker
        self._shaking = True
        self._verdict = ""  # what OpenSSL said after the last data: nothing, the end, or a reason to give up
        shaker.pending += 1

    @property
    def context(self) -> ssl.SSLContext:
        """The context that the client's wish has led to."""
        return self._tls.context

    # -- reading

    def _read(self) -> None:
        try:
            data: Data = self._recv_bulk() if self._bulk else self._recv(SMALL)
        except BlockingIOError:
            if not self._left():
                return
        except OSError as problem:
            self.lost(words(problem))
            return
        else:
            size = len(data)
            if not size:
                self._end()
                return
            if size == SMALL or self._bulk or self.gone:
                self._plan(size)
            self._cipher_in.write(data)
        if not self._shaking or self._shake():
            self._open()

    def _left(self) -> bool:
        return bool(self._cipher_in.pending or self._tls.pending())

    def _open(self) -> None:
        """Decrypt what there is and deliver it at once."""
        data = self._open_bulk() if self._bulk else self._open_small()
        if self._cipher_out.pending:
            self._push()  # an alert, or the answer to new keys
        if len(data):
            self._deliver(data)
        if self._verdict:
            verdict, self._verdict = self._verdict, ""
            if verdict is not _ENDED:
                self.lost(verdict)
            elif not self.ended and not self.closed:
                self._end()

    def _open_small(self) -> bytes:
        tls, cipher = self._tls, self._cipher_in
        data = b""
        try:
            data = piece = tls.read(RECORD)
            while piece and (cipher.pending or tls.pending()):
                piece = tls.read(RECORD)
                data += piece
            if not piece:
                self._verdict = _ENDED
        except ssl.SSLWantReadError:
            return data
        except ssl.SSLError as problem:
            self._judge(problem)
        return data

    def _open_bulk(self) -> memoryview:
        tls, room = self._tls, self.loop.buffer  # its ciphertext has been copied: the room is free again
        size = 0
        try:
            while size <= len(room) - RECORD:
                step = int(tls.read(RECORD, room[size:]))  # with a buffer it gives a number
                size += step
                if not step:
                    self._verdict = _ENDED
                    break
                if not self._left():
                    break
            else:
                self.loop.call_soon(self._again)
        except ssl.SSLWantReadError:
            return room[:size]
        except ssl.SSLError as problem:
            self._judge(problem)
        return room[:size]

    def _judge(self, problem: ssl.SSLError) -> None:
        self._verdict = _ENDED if isinstance(problem, ssl.SSLZeroReturnError) else _tls_words(problem)

    # -- handshake

    def _shake(self) -> bool:
        """Go on with the handshake; true when there may be data behind it."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._push()
            return False
        except (ssl.SSLError, OSError) as problem:
            self._push()  # the alert
            self.lost(_tls_words(problem))
            return False
        self._shaken()
        self._push()
        self._receiver.on_open()
        return not self.closed and self._left()

    def _shaken(self) -> None:
        if self._shaking:
            self._shaking = False
            self._shaker.pending -= 1

    # -- writing

    def send(self, data: Data) -> bool:
        """Send or queue, see Stream.send."""
        if self.closed:
            return False
        try:
            if len(data) <= PIECE:
                self._tls.write(data)
                return self._push()
            view, slow = memoryview(data), False
            for start in range(0, len(view), PIECE):
                self._tls.write(view[start : start + PIECE])
                slow = self._push()
        except ssl.SSLError as problem:  # after the notice of the end, or an error of the client
            self._send_failed(problem)
            return False
        return slow

    def _push(self) -> bool:
        return Stream.send(self, self._cipher_out.read())

    def shut(self) -> None:
        """Send no more once the queue is empty, which the client is told (close_notify)."""
        self._notify()
        super().shut()

    def finish(self) -> None:
        """Close once the queue is empty, which the client is told (close_notify)."""
        self._notify()
        super().finish()

    def _notify(self) -> None:
        if self.closed or self._shaking:
            return
        with contextlib.suppress(ssl.SSLError):  # "want read": nobody waits for the client's own notice
            self._tls.unwrap()
        if self._cipher_out.pending:
            self._push()

    def close(self) -> None:
        """Close now, see Stream.close."""
        self._shaken()
        super().close()


def _tls_words(problem: OSError) -> str:
    reason = problem.reason if isinstance(problem, ssl.SSLError) else None
    return f"TLS: {reason or problem}"
