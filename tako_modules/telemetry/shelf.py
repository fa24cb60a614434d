"""The folder with what one deployment's instances printed: its names, and how much of it is kept.

`web-7.log` is what instance 7 prints now, `web-7.log.3` an older segment of it (a higher number is newer), and
`….times` beside each says when its bytes came. A segment that is being written is locked (flock), so whoever tidies the
folder sees which ones live, also over a restart of control.
"""

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "FILES",
    "SEGMENT_BYTES",
    "SERVICE_BYTES",
    "Segment",
    "Shelf",
    "list_segments",
    "open_folder",
    "open_regular",
]

SERVICE_BYTES = 51 << 20  # of one service on the disk: five segments of full size and their indexes
SEGMENT_BYTES = 10 << 20  # of one segment at the most: a file that an editor still opens
LEAST_BYTES = 64 << 10  # of one segment, however many instances there are
FILES = 200  # segments in one folder: a crash loop leaves one a minute
TIMES = ".times"
_NAME = re.compile(r"(?P<source>.+)\.log(?:\.(?P<order>[0-9]{1,9}))?")
_OWN = re.compile(r"[a-z]+-[0-9]+\.log(?:\.[0-9]{1,9})?")
NEWEST = 1 << 30  # order of the segment that is being written: above every number in a name


class Segment(NamedTuple):
    """One log file; order: its place among those of its source, the newest is the highest."""

    source: str
    order: int
    name: str
    inode: int
    size: int
    changed: float
    owner: int


def open_folder(path: Path) -> int:
    """Open a folder that may belong to an app: no link is followed. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def open_regular(folder: int, name: str) -> int:
    """Open a file of such a folder for reading, if it is a plain one: no link, pipe or device. Raises OSError."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{name} is not a plain file")
    return descriptor


def list_segments(folder: int) -> Iterator[Segment]:
    """List the log files of an open folder: `*.log` and `*.log.<number>`, plain files only."""
    for entry in os.scandir(folder):
        match = _NAME.fullmatch(entry.name)
        if match is None:
            continue
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # rotated or removed meanwhile
        if stat.S_ISREG(found.st_mode):
            order = NEWEST if match["order"] is None else int(match["order"])
            yield Segment(match["source"], order, entry.name, found.st_ino, found.st_size, found.st_mtime, found.st_uid)


class Shelf:
    """Keeps one folder within its bounds; every method raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _segments(self) -> list[Segment]:
        folder = open_folder(self.path)
        try:
            return [segment for segment in list_segments(folder) if _OWN.fullmatch(segment.name)]
        finally:
            os.close(folder)

    def set_aside(self, name: str) -> None:
        """Rename what was written until now to the next older name: one rename, nothing is copied."""
        source = name.removesuffix(".log")
        older = [one.order for one in self._segments() if one.source == source and one.order < NEWEST]
        target = f"{name}.{max(older, default=0) + 1}"
        with contextlib.suppress(FileNotFoundError):
            (self.path / (name + TIMES)).rename(self.path / (target + TIMES))
        (self.path / name).rename(self.path / target)

    def is_crowded(self) -> bool:
        """Tell, at little cost, whether there may be more files than should be kept."""
        with os.scandir(self.path) as entries:
            return sum(1 for _ in entries) > 2 * FILES  # each has its index

    def tidy(self) -> int:
        """Remove the oldest segments that nobody writes, as far as needed; gives the bytes that one segment may have.

        Those that are written share half of what a service may keep, so the other half holds older ones.
        """
        segments = sorted(self._segments(), key=lambda one: one.changed)
        live = [one for one in segments if one.order == NEWEST and _is_locked(self.path / one.name)]
        share = min(SEGMENT_BYTES, max(LEAST_BYTES, SERVICE_BYTES // 2 // max(1, len(live))))
        total = len(live) * share + sum(self._cost(one) for one in segments if one not in live)
        idle = [one for one in segments if one not in live]
        for at, one in enumerate(idle):
            if total <= SERVICE_BYTES and len(idle) - at <= FILES:
                break
            total -= self._cost(one)
            (self.path / one.name).unlink(missing_ok=True)
            (self.path / (one.name + TIMES)).unlink(missing_ok=True)
        return share

    def _cost(self, segment: Segment) -> int:
        try:
            return segment.size + (self.path / (segment.name + TIMES)).lstat().st_size
        except FileNotFoundError:
            return segment.size


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
