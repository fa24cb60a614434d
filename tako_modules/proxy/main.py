"""The door of a worker process: what the parent has opened becomes a worker."""

import gc
import os
import resource
import signal
import socket
from pathlib import Path
from types import FrameType

from tako_modules.net.loop import IN, Loop

from .worker import Worker

__all__ = ["ACCESS_LOG", "CHANNEL", "run"]

CHANNEL = 3  # the first descriptor: the channel to control; the listeners follow
_GARBAGE = (50_000, 20, 100)  # measured at 1,000 TLS connections: fewer collections, shorter tails
ACCESS_LOG = "TAKO_ACCESS_LOG"  # the environment's name for the access log's path; none: no access log


def run(names: list[str], first_fd: int = CHANNEL) -> int:
    """Serve until told to leave; gives the exit code.

    names: one for each listening socket, in the order of their descriptors, which begin behind the channel's.
    """
    _raise_limit()
    loop = Loop()
    channel = socket.socket(fileno=first_fd)
    listeners = [(name, socket.socket(fileno=first_fd + 1 + index)) for index, name in enumerate(names)]
    path = os.environ.get(ACCESS_LOG)
    worker = Worker(loop, channel, listeners, Path(path) if path else None, _settle_memory)
    signals = _watch_signals(loop, worker)
    try:
        worker.run()
    finally:
        signal.set_wakeup_fd(-1)
        worker.close()
        for end in signals:
            end.close()
    return 0


def _settle_memory() -> None:
    """What is in memory by now stays there, so the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


def _raise_limit() -> None:
    """Two descriptors per request are needed, and the usual limit is 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _watch_signals(loop: Loop, worker: Worker) -> tuple[socket.socket, socket.socket]:
    """Make SIGTERM and SIGINT an event of the loop, which then drains."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)

    def handle(_: int) -> None:
        ours.recv(16)
        worker.on_drain()

    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _noted)
    loop.add(ours.fileno(), handle, IN)
    return ours, theirs


def _noted(_number: int, _frame: FrameType | None) -> None:
    """The wake-up descriptor tells the loop; a handler must be there so that it does."""
