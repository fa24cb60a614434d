"""The management socket's listener: it accepts, asks the kernel who is there, and gives each connection its task."""

import errno
import socket
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

from tako_modules.base import log
from tako_modules.base.clock import Clock, SystemClock
from tako_modules.protocol import replies

from .connection import Call, Connection, Handler, Limits
from .peer import Peer, UnknownPeer, peer_of
from .refusal import failure_of
from .unix_stream import UnixStream

__all__ = ["Call", "Handler", "Limits", "serve"]

SHORTAGE_PAUSE = 0.2  # seconds until the next accept when descriptors or memory are short: others must end first
LIMITS = Limits()
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def serve(
    listener: socket.socket,
    handler: Handler,
    *,
    allowed: Callable[[Peer], str | None],
    clock: Clock | None = None,
    limits: Limits = LIMITS,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a bound Unix listener until cancelled; the listener itself stays open, it is the caller's.

    allowed: the reason why a peer may not come in, None when it may. handler: answers one request with a struct or an
    error; it runs in the connection's own task.
    """
    door = _Door(handler, allowed, limits, clock or SystemClock())
    listener.setblocking(False)
    async with anyio.create_task_group() as tasks:
        task_status.started()
        while True:
            connection = await door.accept(listener)
            peer = door.admit(connection)
            if peer is not None:
                tasks.start_soon(door.entertain, connection, peer)


class _Door:
    def __init__(self, handler: Handler, allowed: Callable[[Peer], str | None], limits: Limits, clock: Clock) -> None:
        self._handler = handler
        self._allowed = allowed
        self._limits = limits
        self._clock = clock
        self._open = 0

    async def accept(self, listener: socket.socket) -> socket.socket:
        """Wait for the next peer, through shortages of descriptors and peers that left again."""
        while True:
            await anyio.wait_readable(listener)
            try:
                return listener.accept()[0]
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                continue
            except OSError as error:
                if error.errno not in _SHORTAGES:
                    raise
                log.error("mgmt.accept", error)
                await self._clock.sleep(SHORTAGE_PAUSE)

    def admit(self, connection: socket.socket) -> Peer | None:
        """Let a peer in, its place counted; or tell it why not and close."""
        try:
            peer = peer_of(connection)
            failure = self._objection(peer)
        except UnknownPeer as error:
            failure = failure_of(error)
        if failure is None:
            self._open += 1
            return peer
        log.event("mgmt.refused", code=failure.code, reason=failure.message)
        _turn_away(connection, failure)
        return None

    def _objection(self, peer: Peer) -> replies.Failure | None:
        reason = self._allowed(peer)
        if reason is not None:
            return replies.Failure(message=reason, code="denied")
        if self._open >= self._limits.connections:
            words = f"{self._open} connections are open, which is the limit"
            return replies.Failure(message=words, code="busy", hint="try again in a moment")
        return None

    async def entertain(self, connection: socket.socket, peer: Peer) -> None:
        """Serve one peer to its end."""
        try:
            stream = UnixStream(connection)
            await Connection(
                stream, peer, self._handler, limits=self._limits, clock=self._clock, hung_up=stream.hung_up
            ).run()
        except Exception as error:  # noqa: BLE001 - a server's guard: one connection's bug must not end the others
            log.error("mgmt.connection", error)
        finally:
            connection.close()
            self._open -= 1


def _turn_away(connection: socket.socket, failure: replies.Failure) -> None:
    with connection:
        connection.setblocking(False)
        try:
            connection.send(replies.encode_error(failure))  # a new socket's buffer takes a line at once
        except OSError as error:
            log.error("mgmt.refused", error)
