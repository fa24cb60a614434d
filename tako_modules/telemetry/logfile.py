"""The file that one instance's output goes to; bytes come by splice(2), so they are in the pipe or in the file, never
between, and a `kill -9` loses none. Opened without O_APPEND, which splice refuses (EINVAL).
"""

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from .shelf import SEGMENT_BYTES, TIMES, Shelf
from .times import RECORD, RECORDS, record

__all__ = ["LINE_LIMIT", "LogFile"]

LINE_LIMIT = 64 << 10  # bytes of one line: a segment ends at a line's end, or here beyond its size
MOVE_BYTES = 1 << 20  # moved at once: a whole pipe of the largest size
COPY_BYTES = 64 << 10  # and by read and write, where the file system does not know splice
TIDY_BYTES = 256 << 10  # written between looks at what the folder may hold
ROOM_BYTES = 64 << 10  # free on a disk that was full, before a line of our own says what is missing
STAMP_SECONDS = 1.0  # between records of the index


class LogFile:
    """One instance's newest segment; it sets itself aside when it is full, between two splices."""

    def __init__(self, folder: Path, name: str, mode: int) -> None:
        self._shelf = Shelf(folder)
        self._name = name
        self._mode = mode
        self._file = -1
        self._times = -1
        self._stamps = 0
        self._stamped_at = 0.0
        self._tidied = 0
        self._limit = 0

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in (self._file, self._times):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._times = -1

    def take(self, pipe: int, now: float) -> int:
        """Move what is in the pipe into the file; 0 at the pipe's end.

        now: wall time. Raises BlockingIOError when the pipe is empty, other OSErrors when the file cannot take it:
        the bytes are still in the pipe then.
        """
        end = self._make_room()
        self._stamp(end, now)
        most = min(MOVE_BYTES, max(LINE_LIMIT, self._limit + LINE_LIMIT - end))
        try:
            moved = os.splice(pipe, self._file, most, offset_dst=end, flags=os.SPLICE_F_NONBLOCK)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            moved = self._copy(pipe, end)
        return moved

    def _copy(self, pipe: int, end: int) -> int:
        data = os.read(pipe, COPY_BYTES)
        written = 0
        while written < len(data):
            written += os.pwrite(self._file, data[written:], end + written)
        return written

    def write(self, words: str) -> None:
        """Add a line of our own, when there is room for more than that; raises OSError."""
        end = self._make_room()
        disk = os.fstatvfs(self._file)
        if disk.f_bavail * disk.f_frsize < ROOM_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        front = "" if self._ends_line(end) else "\n"
        os.pwrite(self._file, f"{front}{words}\n".encode(), end)

    def _make_room(self) -> int:
        """Give the offset to write at, in a file that has room."""
        if self._file < 0:
            self._open()
        end = os.lseek(self._file, 0, os.SEEK_END)
        if end >= self._tidied + TIDY_BYTES:
            self._limit, self._tidied = self._shelf.tidy(), end
        full = end >= self._limit or self._stamps >= RECORDS
        if not full or not (self._ends_line(end) or end >= self._limit + LINE_LIMIT):
            return end
        self._shelf.set_aside(self._name)
        self.close()
        self._open()
        return os.lseek(self._file, 0, os.SEEK_END)

    def _ends_line(self, end: int) -> bool:
        return end == 0 or os.pread(self._file, 1, end - 1) == b"\n"

    def _open(self) -> None:
        path = self._shelf.path
        try:
            self._file = self._open_one(path / self._name, os.O_RDWR)
            with contextlib.suppress(BlockingIOError):  # a second writer of the same file is stopped by control's lock
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._times = self._open_one(path / (self._name + TIMES), os.O_WRONLY | os.O_APPEND)
            self._stamps = os.fstat(self._times).st_size // RECORD.size
            os.ftruncate(self._times, self._stamps * RECORD.size)  # a torn record would shift all later ones
            self._stamped_at = 0.0
            self._tidied = os.fstat(self._file).st_size
            self._limit = self._shelf.tidy() if self._shelf.is_crowded() else SEGMENT_BYTES
        except OSError:
            self.close()
            raise

    def _open_one(self, path: Path, flags: int) -> int:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, self._mode)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a plain file")
        if stat.S_IMODE(found.st_mode) != self._mode:
            os.fchmod(descriptor, self._mode)
        return descriptor

    def _stamp(self, end: int, now: float) -> None:
        if 0 <= now - self._stamped_at < STAMP_SECONDS:
            return
        with contextlib.suppress(OSError):  # a full disk costs a time, not a line
            if os.write(self._times, record(end, now)) == RECORD.size:
                self._stamps += 1
        self._stamped_at = now
