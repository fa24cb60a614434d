"""What a deployment has printed, and what it prints now: the lines of all its log files, merged by time."""

from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import anyio
import msgspec

from tako_modules.base.clock import Clock

from .capture import file_name
from .lines import Splitter
from .reading import READ_BYTES, LogLine, OpenFolder
from .shelf import Segment

__all__ = ["LogLine", "Position", "follow", "last_lines", "tail"]

POLL_SECONDS = 0.2  # between looks for new lines: a person does not see less
QUIET_POLLS = 5  # looks without news after which an unfinished line is given as it is: a prompt, last words
GONE_POLLS = 2  # looks in a row that must miss a file: one that is being renamed may be missed once
LINES_BYTES = 16 << 20  # held by one answer: its oldest lines go first
CURSORS = 5000  # sources that one follower remembers; far beyond what the folders keep
TIME_GRAIN = 1.0  # seconds by which a line's time may be too early: the index has a record a second


class Cursor(msgspec.Struct, kw_only=True):
    """Where one source has been read to: a file by its inode, and the offset in it."""

    inode: int
    offset: int
    splitter: Splitter
    quiet: int = 0
    missed: int = 0


class Position:
    """Where every source has been read to; made by `tail`, moved on by `follow`."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self.cursors: dict[tuple[int, str], Cursor] = {}

    def opened(self) -> Iterator[tuple[int, OpenFolder]]:
        """Open one folder after the other: the first is the captured one."""
        for which, path in enumerate(self.folders):
            with OpenFolder(path, captured=which == 0) as folder:
                yield which, folder


def tail(folders: Sequence[Path], *, lines: int, since: float | None = None) -> tuple[Position, list[LogLine]]:
    """Read the last lines, those after `since` (wall time) only; blocks for as long as the disk takes.

    folders: the captured output first, then the app's own; one that is missing has no lines. The position goes on
    right behind the last line.
    """
    position = Position(folders)
    found: list[LogLine] = []
    for which, folder in position.opened():
        for source, chain in folder.sources().items():
            newest = chain[-1]
            position.cursors[which, source] = Cursor(inode=newest.inode, offset=newest.size, splitter=Splitter())
            if lines and _may_matter(newest.changed, found, lines, since):
                found = _newest([*found, *folder.read_tail(chain, lines, since or 0.0)], lines)
    return position, found


def _may_matter(changed: float, found: Sequence[LogLine], lines: int, since: float | None) -> bool:
    """Tell whether a file that was last changed then can have one of the newest lines."""
    if since is not None and changed + TIME_GRAIN < since:
        return False
    return len(found) < lines or changed + TIME_GRAIN >= found[0].at


def _newest(found: list[LogLine], lines: int) -> list[LogLine]:
    """Keep the newest lines within LINES_BYTES; those of one moment stay in the order of their files."""
    found.sort(key=lambda line: line.at)
    kept: deque[LogLine] = deque()
    size = 0
    for line in reversed(found[-lines:]):
        size += len(line.text)
        if size > LINES_BYTES:
            break
        kept.appendleft(line)
    return list(kept)


def last_lines(folder: Path, number: int, count: int = 20) -> tuple[str, ...]:
    """Read the last words of one instance; blocks for a moment."""
    with OpenFolder(folder, captured=True) as opened:
        chain = opened.sources().get(file_name(number).removesuffix(".log"))
        return tuple(line.text for line in opened.read_tail(chain, count, 0.0)) if chain else ()


def follow(position: Position, clock: Clock) -> AsyncIterator[LogLine]:
    """Give every line that comes behind a position, for ever; a reader that is slow reads later, nothing is kept."""
    return _Follower(position, clock)


class _Follower(AsyncIterator[LogLine]):
    """Looks at the files again and again, in a thread: a slow disk must not stop what else control does."""

    def __init__(self, position: Position, clock: Clock) -> None:
        self._position = position
        self._clock = clock
        self._ready: deque[LogLine] = deque()

    async def __anext__(self) -> LogLine:
        while not self._ready:
            await self._clock.sleep(POLL_SECONDS)
            now = self._clock.now()
            self._ready.extend(await anyio.to_thread.run_sync(self._look, now))
        return self._ready.popleft()

    def _look(self, now: float) -> list[LogLine]:
        if len(self._position.cursors) > CURSORS:
            self._position.cursors.clear()
        found: list[LogLine] = []
        for which, folder in self._position.opened():
            for source, chain in folder.sources().items():
                cursor = self._position.cursors.get((which, source))
                if cursor is None:
                    cursor = Cursor(inode=chain[0].inode, offset=0, splitter=Splitter())
                    self._position.cursors[which, source] = cursor
                name = folder.name(source)
                found += [LogLine(at=now, source=name, text=text) for text in _read_on(folder, chain, cursor)]
        return found


def _read_on(folder: OpenFolder, chain: Sequence[Segment], cursor: Cursor) -> list[str]:
    """Read what is new of one source and move its cursor on."""
    found: list[str] = []
    left = READ_BYTES
    for segment in _ahead(chain, cursor, captured=folder.captured):
        if (
            segment.inode != cursor.inode or segment.size < cursor.offset
        ):  # the next one, or one that was cut to nothing
            cursor.inode, cursor.offset = segment.inode, 0
        while left > 0 and cursor.offset < segment.size:
            data = folder.read(segment, cursor.offset, min(left, segment.size - cursor.offset))
            if not data:
                return found  # renamed since it was listed: the next look finds it
            found += [text for _, text in cursor.splitter.feed(data)]
            cursor.offset += len(data)
            left -= len(data)
        if cursor.offset < segment.size:
            break
    cursor.quiet = cursor.quiet + 1 if left == READ_BYTES else 0
    if cursor.quiet >= QUIET_POLLS and cursor.splitter.waiting:
        found.append(cursor.splitter.take())
    return found


def _ahead(chain: Sequence[Segment], cursor: Cursor, *, captured: bool) -> Sequence[Segment]:
    """Pick the segments from the cursor's on."""
    for place, segment in enumerate(chain):
        if segment.inode == cursor.inode:
            cursor.missed = 0
            return chain[place:]
    cursor.missed += 1
    if cursor.missed < GONE_POLLS:
        return ()
    return chain if captured else chain[-1:]  # ours were removed, oldest first, so all that is left is new
