"""An open folder of logs: which sources it has, and the end of each; the app's own folder is not trusted.

Only plain files of the folder's owner are read, no links, a bounded number, bounded bytes.
"""

import bisect
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec

from .lines import Splitter, spoken_time
from .shelf import TIMES, Segment, list_segments, open_folder, open_regular
from .times import RECORD, RECORDS, Times

__all__ = ["LogLine", "OpenFolder"]

TAIL_BYTES = 4 << 20  # read from the end of one source
READ_BYTES = 256 << 10  # read at once
SOURCES = 1000  # of one folder, those that changed last


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line; at: when it came (wall time, to the second); source: an instance's number, or the app's own file."""

    at: float
    source: str
    text: str


class _Part(msgspec.Struct, frozen=True):
    """Bytes of a segment; stream: where they begin in all that was read of the source."""

    segment: Segment
    begin: int
    data: bytes


class OpenFolder:
    """A folder of logs, open while in its `with` block; one that is not there has no sources.

    captured: it is the one of `capture`, with an index of times.
    """

    def __init__(self, path: Path, *, captured: bool) -> None:
        self.captured = captured
        self._path = path
        self._folder = -1
        self._owner = -1

    def __enter__(self) -> Self:
        try:
            self._folder = open_folder(self._path)
            self._owner = os.fstat(self._folder).st_uid
        except OSError:
            self._folder = -1  # nothing was printed yet, or the deployment is gone
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder >= 0:
            os.close(self._folder)

    def sources(self) -> dict[str, list[Segment]]:
        """List the sources, the last changed first, each with its segments, the oldest first."""
        if self._folder < 0:
            return {}
        chains: dict[str, dict[int, Segment]] = {}
        for segment in sorted(list_segments(self._folder), key=lambda one: one.order, reverse=True):
            if segment.owner == self._owner:  # a file that is renamed while it is listed may be there twice
                chains.setdefault(segment.source, {})[segment.inode] = segment
        ordered = {source: sorted(chain.values(), key=self._age) for source, chain in chains.items()}
        newest_first = sorted(ordered.items(), key=lambda item: item[1][-1].changed, reverse=True)
        return dict(newest_first[:SOURCES])

    def _age(self, segment: Segment) -> float:
        """Order the segments of a source: ours by number; the app's, which may count the other way, by their change."""
        return segment.order if self.captured else segment.changed

    def name(self, source: str) -> str:
        """Name a source for people: the instance's number, or the app's file."""
        return source.rpartition("-")[2] if self.captured else f"{source}.log"

    def read(self, segment: Segment, offset: int, most: int) -> bytes:
        """Read a part of a segment; empty when it has been renamed or removed meanwhile."""
        try:
            descriptor = open_regular(self._folder, segment.name)
        except OSError:
            return b""
        try:
            return os.pread(descriptor, most, offset) if os.fstat(descriptor).st_ino == segment.inode else b""
        finally:
            os.close(descriptor)

    def read_tail(self, chain: Sequence[Segment], lines: int, since: float) -> list[LogLine]:
        """Read the last lines of a source over all its segments, those after `since`, within TAIL_BYTES."""
        parts = self._read_back(chain, lines)
        if not parts:
            return []
        whole = parts[0].segment is chain[0] and parts[0].begin == 0
        found = list(self._lines(parts))[0 if whole else 1 :]
        return [line for line in found if line.at >= since][-lines:]

    def _read_back(self, chain: Sequence[Segment], lines: int) -> Sequence[_Part]:
        parts: deque[_Part] = deque()
        left, newlines = TAIL_BYTES, 0
        for segment in reversed(chain):
            end = segment.size
            while end > 0 and left > 0 and newlines <= lines:
                begin = max(0, end - min(READ_BYTES, left))
                parts.appendleft(_Part(segment, begin, self.read(segment, begin, end - begin)))
                newlines += parts[0].data.count(b"\n")
                left -= end - begin
                end = begin
        return parts

    def _lines(self, parts: Sequence[_Part]) -> Iterator[LogLine]:
        """Cut what was read into lines: a line may begin in one segment and end in the next."""
        source = self.name(parts[0].segment.source)
        clock = _LineClock(self, parts)
        splitter = Splitter()
        for part in parts:
            for offset, text in splitter.feed(part.data):
                yield LogLine(at=clock.at(offset, text), source=source, text=text)
        if splitter.waiting:
            begin = splitter.begin
            text = splitter.take()
            yield LogLine(at=clock.at(begin, text), source=source, text=text)

    def times(self, segment: Segment) -> Times:
        """Read the index beside a segment; without one everything came when it was last changed."""
        try:
            descriptor = open_regular(self._folder, segment.name + TIMES)
        except OSError:
            return Times(b"", segment.changed)
        try:
            return Times(os.pread(descriptor, RECORDS * RECORD.size, 0), segment.changed)
        finally:
            os.close(descriptor)


class _LineClock:
    """Tells when a line came: by the index of its segment, or, in the app's own files, by what the line itself says."""

    def __init__(self, folder: OpenFolder, parts: Sequence[_Part]) -> None:
        self._captured = folder.captured
        self._parts = parts
        self._starts = [0]
        for part in parts:
            self._starts.append(self._starts[-1] + len(part.data))
        self._times = {part.segment.inode: folder.times(part.segment) for part in parts if folder.captured}
        self._spoken: float | None = None

    def at(self, offset: int, text: str) -> float:
        """Tell when a line came that begins at this offset of what was read."""
        place = min(bisect.bisect_right(self._starts, offset), len(self._parts)) - 1
        part = self._parts[place]
        if self._captured:
            return self._times[part.segment.inode].at(part.begin + offset - self._starts[place])
        self._spoken = spoken_time(text) or self._spoken
        return part.segment.changed if self._spoken is None else self._spoken
