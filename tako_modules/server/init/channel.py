"""The channel to control: one JSON object per packet, descriptors beside it, and a bounded queue."""

import array
import errno
import json
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from .loop import Loop

__all__ = ["PACKET", "Channel", "Packet", "pair", "send_first"]

PACKET = 1 << 17  # bytes of one packet: below the smallest send buffer that is common (212,992)
DESCRIPTORS = 8  # taken with one packet; more are cut off by the kernel
QUEUE = 4096  # packets that control has not read: more means that it never will
PER_TURN = 64  # packets handled before signals and workers get their turn
RETRY = 0.05  # seconds until the kernel may have room again for descriptors in flight
FULL = (errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM)

Packet = tuple[bytes, list[int]]  # the bytes, and duplicates of the descriptors that belong to them


def pair() -> tuple[socket.socket, socket.socket]:
    """Make a SOCK_SEQPACKET pair that never blocks, with room for the largest packet."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * PACKET)
        end.setblocking(False)
    return ours, theirs


def send_first(end: socket.socket, data: bytes, descriptor: int) -> None:
    """Put one packet with a descriptor into a fresh channel, where there is room for it."""
    socket.send_fds(end, [data], [descriptor])


class Channel:
    """init's end of the pair; without a control everything told is dropped, as a new one gets the whole state."""

    def __init__(
        self,
        loop: Loop,
        receive: Callable[[bytes, list[int]], None],
        overflow: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._receive = receive
        self._overflow = overflow
        self._lost = lost
        self._socket: socket.socket | None = None
        self._full = False
        self.queue: deque[Packet] = deque()

    @property
    def descriptor(self) -> int | None:
        """The descriptor of our end, if a control is there."""
        return None if self._socket is None else self._socket.fileno()

    def open(self, ours: socket.socket, queue: Iterable[Packet] = ()) -> None:
        """Talk to a control over this end; `queue` is what the init before had not sent."""
        self._socket = ours
        self.queue.extend(queue)
        self._loop.watch(ours.fileno(), self._ready)
        self._flush()

    def close(self) -> None:
        """Hang up and drop the queue."""
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None
        while self.queue:
            _close(self.queue.popleft()[1])

    def tell(self, message: Mapping[str, object], descriptors: Sequence[int] = ()) -> None:
        """Send one message, or queue it."""
        data = json.dumps(message).encode()
        if self._socket is None or (not self.queue and self._send(data, descriptors)):
            return
        self.queue.append((data, [os.dup(number) for number in descriptors]))
        self._await_room()
        if len(self.queue) > QUEUE:
            self._overflow()

    def drain(self) -> None:
        """Handle what a control asked before it ended."""
        for _ in range(QUEUE):
            if not self._take():
                return

    def _ready(self) -> None:
        self._flush()
        for _ in range(PER_TURN):
            if not self._take():
                return

    def _take(self) -> bool:
        """Handle one packet; false when there is none."""
        if self._socket is None:
            return False
        try:
            data, descriptors, flags = _receive(self._socket)
        except BlockingIOError:
            return False
        except OSError:
            data, descriptors, flags = b"", [], 0
        if not data:
            self._hang_up()
            return False
        try:
            if flags & socket.MSG_TRUNC:
                self.tell({"event": "error", "op": "", "message": f"a packet exceeds {PACKET} bytes"})
            else:
                self._receive(data, descriptors)
        finally:
            _close(descriptors)
        return True

    def _hang_up(self) -> None:
        self.close()
        self._lost()

    def _flush(self) -> None:
        while self.queue and self._send(*self.queue[0]):
            if self.queue:  # else the channel is lost, and the queue with it
                _close(self.queue.popleft()[1])
        self._await_room()

    def _await_room(self) -> None:
        if self._socket is not None:
            self._loop.watch(self._socket.fileno(), self._ready, writing=bool(self.queue) and not self._full)

    def _send(self, data: bytes, descriptors: Sequence[int]) -> bool:
        """Send one packet; false when it has to wait."""
        if self._socket is None:
            return True
        try:
            socket.send_fds(self._socket, [data], descriptors)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in FULL:
                self._hang_up()
                return True
            self._full = True  # the socket says it is writable all the same: a timer waits
            self._loop.later(RETRY, self._try_again)
            return False
        return True

    def _try_again(self) -> None:
        self._full = False
        self._flush()


def _receive(end: socket.socket) -> tuple[bytes, list[int], int]:
    """Read one packet; its descriptors close at exec from the first moment."""
    numbers = array.array("i")
    room = socket.CMSG_SPACE(DESCRIPTORS * numbers.itemsize)
    data, ancillary, flags, _ = end.recvmsg(PACKET, room, socket.MSG_CMSG_CLOEXEC)
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    return data, list(numbers), flags


def _close(descriptors: Iterable[int]) -> None:
    for number in descriptors:
        os.close(number)
