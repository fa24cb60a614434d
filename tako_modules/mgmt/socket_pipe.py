"""`tako __socket__`: a pipe between stdin, stdout and a server's Unix socket; the remote end of every SSH connection.

Standard library only, and little of it: it starts once per connection, before anything else can happen.
"""

import os
import select
import socket

__all__ = ["UNREACHABLE", "pipe_stdio"]

UNREACHABLE = 4  # the exit code of base.errors.Unreachable, which is too heavy to import here
CHUNK = 256 << 10  # bytes held per direction: one frame of an upload
_STDIN, _STDOUT, _STDERR = 0, 1, 2
_END = select.POLLHUP | select.POLLERR | select.POLLNVAL


class _Way:
    """One direction: what was read and is not written yet, and whether more can come."""

    def __init__(self, source: int, sink: int) -> None:
        self.source = source
        self.sink = sink
        self.held = memoryview(b"")
        self.ended = False

    def wants(self) -> tuple[int, int] | None:
        """Which descriptor it waits for, and for what."""
        if self.held:
            return self.sink, select.POLLOUT
        return None if self.ended else (self.source, select.POLLIN)

    def move(self) -> None:
        """Read or write once; raises OSError when the sink is gone."""
        try:
            if self.held:
                self.held = self.held[os.write(self.sink, self.held) :]
                return
            self.held = memoryview(os.read(self.source, CHUNK))
            self.ended = not self.held
        except BlockingIOError:
            return
        except ConnectionResetError:
            self.ended = True


def pipe_stdio(path: str) -> int:
    """Pipe until either side ends and give the exit code; the end of stdin is passed on, and answers still come."""
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(path)
    except OSError as error:
        os.write(_STDERR, f"tako: cannot reach the server at {path}: {error.strerror or error}\n".encode())
        return UNREACHABLE
    blocking = os.get_blocking(_STDIN), os.get_blocking(_STDOUT)
    with connection:
        for descriptor in (_STDIN, _STDOUT, connection.fileno()):
            os.set_blocking(descriptor, False)
        try:
            _pipe(connection)
        finally:  # a terminal's descriptors are shared with the shell that started us
            os.set_blocking(_STDIN, blocking[0])
            os.set_blocking(_STDOUT, blocking[1])
    return 0


def _pipe(connection: socket.socket) -> None:
    there = _Way(_STDIN, connection.fileno())
    back = _Way(connection.fileno(), _STDOUT)
    while back.held or not back.ended:
        ready = _wait(there, back)
        if ready.get(_STDOUT, 0) & _END:
            return
        if (want := back.wants()) and want[0] in ready:
            try:
                back.move()
            except OSError:
                return  # nobody reads our stdout
        if (want := there.wants()) and want[0] in ready:
            _move_there(there, connection)


def _wait(there: _Way, back: _Way) -> dict[int, int]:
    """Wait for what both ways want, and for the end of stdout in any case; a descriptor is asked once, for all."""
    masks = {_STDOUT: 0}
    for want in (there.wants(), back.wants()):
        if want is not None:
            masks[want[0]] = masks.get(want[0], 0) | want[1]
    poll = select.poll()
    for descriptor, mask in masks.items():
        poll.register(descriptor, mask)
    return dict(poll.poll())


def _move_there(there: _Way, connection: socket.socket) -> None:
    try:
        there.move()
    except OSError:
        there.held, there.ended = memoryview(b""), True  # the server takes no more; its answer tells why
    if there.ended:
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the server was faster: reading finds its end
