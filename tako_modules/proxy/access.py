"""The access log: one JSON line per request, written together and never waited for.

All workers append to one file; one write is atomic towards the others. Whoever finds it too large moves it away under a
lock on the file, and everybody notices that the name stands for another file.
"""

import fcntl
import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from tako_modules.base import log
from tako_modules.net.loop import Loop

__all__ = ["AccessLog"]

FLUSH_SECONDS = 0.1
FLUSH_LINES = 500  # of 250 bytes: one write of 128 KiB
FILE_BYTES = 64 << 20  # of one file, then it is moved to `.1`
FILES = 5
WORDS_SECONDS = 10.0  # between two events about lines that could not be written
STAMPS = 10  # time stamps per second
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class AccessLog:
    """Lines on their way to a file; without a path, nowhere. dropped: lines that could not be written."""

    __slots__ = ("_fd", "_lines", "_loop", "_path", "_said", "_stamp", "_stamped", "_torn", "_wall", "dropped")

    def __init__(self, loop: Loop, path: Path | None = None, wall: Callable[[], float] = time.time) -> None:
        self._loop = loop
        self._path = path
        self._wall = wall
        self._lines: list[bytes] = []
        self._fd = -1
        self._torn = False
        self._stamp, self._stamped = b"", -1
        self._said = -WORDS_SECONDS
        self.dropped = 0

    def add(self, fields: bytes) -> None:
        """Log one request: JSON members without braces and time, safe to stand in a line as they are."""
        if self._path is None:
            return
        if int(self._loop.now * STAMPS) != self._stamped:
            self._restamp()
        lines = self._lines
        lines.append(b'{"t":"%b",%b}\n' % (self._stamp, fields))
        size = len(lines)
        if size == 1:
            self._loop.call_later(FLUSH_SECONDS, self.flush)
        elif size >= FLUSH_LINES:
            self.flush()

    def _restamp(self) -> None:
        now = self._wall()
        self._stamped = int(self._loop.now * STAMPS)
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        self._stamp = b"%b.%dZ" % (text.encode("ascii"), int(now * STAMPS) % STAMPS)

    def flush(self) -> None:
        """Write what there is; what cannot be written is dropped and counted."""
        count = len(self._lines)
        if not count:
            return
        data = b"\n" * self._torn + b"".join(self._lines)
        self._lines.clear()
        try:
            self._refresh()
            written = os.write(self._fd, data)
        except OSError as problem:
            self._drop(count, problem)
            return
        self._torn = written < len(data)
        if self._torn:
            self._drop(data[written:].count(b"\n"), OSError("short write"))

    def _drop(self, count: int, problem: OSError) -> None:
        self.dropped += count
        if self._loop.now - self._said >= WORDS_SECONDS:
            self._said = self._loop.now
            log.error("access.dropped", problem, dropped=self.dropped, path=str(self._path))

    def _refresh(self) -> None:
        """Have the file open that the path stands for, and not one that is too large."""
        assert self._path is not None
        if self._fd >= 0 and not self._is_current():
            self.close()
        if self._fd < 0:
            self._fd = os.open(self._path, _FLAGS, 0o640)
        if os.fstat(self._fd).st_size >= FILE_BYTES:
            self._rotate()

    def _is_current(self) -> bool:
        assert self._path is not None
        try:
            there, mine = self._path.stat(), os.fstat(self._fd)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def _rotate(self) -> None:
        assert self._path is not None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another worker is at it; this file takes one more write
        if self._is_current():
            names = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, FILES))]
            for newer, older in reversed(list(pairwise(names))):
                if newer.exists():
                    newer.replace(older)
        self.close()
        self._fd = os.open(self._path, _FLAGS, 0o640)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
