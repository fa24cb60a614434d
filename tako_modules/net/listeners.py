"""Accepting from listening sockets that several processes share; the process that opened them keeps them open."""

import errno
import socket
from collections.abc import Callable

from tako_modules.base import log

from .loop import EXCLUSIVE, IN, Loop

__all__ = ["Acceptor", "Peer", "peer_text"]

BATCH = 32  # connections accepted per turn: more would make those that are open wait
SHAKING_BATCH = 4  # while handshakes are pending: each costs 0.4 ms of the loop
REST_SECONDS = 0.1  # how long not to accept when there are no descriptors left; others close meanwhile
BACKLOG = 4096  # the last accept before leaving takes at most a whole queue
_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Peer = tuple[str, int] | tuple[str, int, int, int]


class Acceptor:
    """One listening socket: every new connection goes to `open_client(sock, peer)`.

    busy() asks for small batches; full() hears that there are no descriptors left.
    """

    __slots__ = ("_busy", "_full", "_loop", "_open", "_resting", "_sock", "accepting")

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        open_client: Callable[[socket.socket, Peer], None],
        busy: Callable[[], bool],
        full: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self._loop, self._sock, self._open, self._busy, self._full = loop, sock, open_client, busy, full
        self._resting = False
        self.accepting = False

    def begin(self) -> None:
        """Accept from now on; of all processes that wait, the kernel wakes one or few per connection."""
        if not self.accepting:
            self.accepting = True
            self._loop.add(self._sock.fileno(), self._on_event, IN | EXCLUSIVE)

    def leave(self) -> None:
        """Accept no more, after what is queued by now: the kernel may have woken this process for it and no other."""
        if not self.accepting:
            return
        self.accepting = False
        if not self._resting:
            self._loop.remove(self._sock.fileno())
            self._accept(BACKLOG)

    def close(self) -> None:
        """Let go of this process's descriptor."""
        self._sock.close()

    def _on_event(self, _: int) -> None:
        self._accept(SHAKING_BATCH if self._busy() else BATCH)

    def _accept(self, limit: int) -> None:
        for _ in range(limit):
            try:
                sock, peer = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as problem:
                if problem.errno in _FULL:
                    self._rest(problem)
                    return
                continue  # this one was reset while it waited (accept(2), "Error handling")
            sock.setblocking(False)
            try:
                self._open(sock, peer)
            except OSError:
                sock.close()  # reset before anything could be asked about it

    def _rest(self, problem: OSError) -> None:
        log.error("accept.full", problem)
        self._full()
        if self.accepting and not self._resting:
            self._resting = True
            self._loop.remove(self._sock.fileno())
            self._loop.call_later(REST_SECONDS, self._wake)

    def _wake(self) -> None:
        self._resting = False
        if self.accepting:
            self._loop.add(self._sock.fileno(), self._on_event, IN | EXCLUSIVE)


def peer_text(peer: Peer) -> str:
    """Write a peer's address: IPv4 also where it came to a dual-stack socket, IPv6 without brackets and scope."""
    host = peer[0].partition("%")[0]
    return host[7:] if host.startswith("::ffff:") and "." in host else host
