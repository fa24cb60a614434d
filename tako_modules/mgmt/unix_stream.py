"""A Unix stream socket as a ByteStream, for both sides.

anyio has one of its own, which leaves errors in the event loop when it is closed or cancelled while bytes arrive.
"""

import select
import socket
from pathlib import Path

import anyio
from anyio.abc import ByteStream

from tako_modules.base.clock import SystemClock
from tako_modules.base.tasks import retry

__all__ = ["UnixStream", "connect"]

FULL_QUEUE = (0.05,) * 100  # seconds between tries while the listener's queue is full: it is busy, not gone


class UnixStream(ByteStream):
    """A connected, non-blocking socket; one task may receive while another sends, and any may close."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Read at least one byte; raises anyio's EndOfStream, BrokenResourceError or ClosedResourceError."""
        await anyio.lowlevel.checkpoint()
        while True:
            try:
                data = self._socket.recv(max_bytes)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)
            except OSError as error:
                raise self._broken() from error
            else:
                if not data:
                    raise anyio.EndOfStream
                return data

    async def send(self, item: bytes) -> None:
        """Write all of it; raises anyio's BrokenResourceError or ClosedResourceError."""
        await anyio.lowlevel.checkpoint()
        rest = memoryview(item)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
            except OSError as error:
                raise self._broken() from error

    async def send_eof(self) -> None:
        """Tell the peer that no more bytes come; its own may still be received."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._broken() from error

    async def aclose(self) -> None:
        """Close; tasks that wait on the stream get ClosedResourceError."""
        if self._socket.fileno() >= 0:
            anyio.notify_closing(self._socket)
            self._socket.close()
        await anyio.lowlevel.checkpoint()

    def hung_up(self) -> bool:
        """Tell whether the peer has closed: half closed, so that it still reads, is not hung up."""
        if self._socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self._socket, 0)  # POLLHUP and POLLERR are told without being asked for
        return bool(poll.poll(0))

    def _broken(self) -> Exception:
        return anyio.ClosedResourceError() if self._socket.fileno() < 0 else anyio.BrokenResourceError()


async def connect(path: Path) -> UnixStream:
    """Connect to a listener of this machine; raises OSError."""

    async def attempt() -> UnixStream:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            connection.connect(str(path))
        except BaseException:
            connection.close()
            raise
        return UnixStream(connection)

    return await retry(attempt, FULL_QUEUE, BlockingIOError, SystemClock())
