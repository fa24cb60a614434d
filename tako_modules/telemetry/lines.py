"""Bytes into lines: pure, for any chunking of the input."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from .logfile import LINE_LIMIT

__all__ = ["Splitter", "spoken_time"]

CUT = " […cut]"
_STAMP = re.compile(r"[\[(\"']?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?\d*\s?(Z|UTC|[+-]\d\d:?\d\d)?")


class Splitter:
    """Cuts a stream of bytes into lines; what is beyond LINE_LIMIT of one line is left out and CUT says so."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._cut = False
        self._fed = 0
        self.begin = 0

    @property
    def waiting(self) -> bool:
        """Tell whether the end of a line is still to come."""
        return bool(self._rest) or self._cut

    def feed(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Give each whole line with the offset in the stream at which it begins; `begin` is that of the next one."""
        at = 0
        while (end := data.find(b"\n", at)) >= 0:
            self._add(data[at:end])
            begin, text = self.begin, self._give()
            at = end + 1
            self.begin = self._fed + at
            yield begin, text
        self._add(data[at:])
        self._fed += len(data)

    def _add(self, data: bytes) -> None:
        room = LINE_LIMIT - len(self._rest)
        self._rest += data[:room]
        self._cut = self._cut or len(data) > room

    def take(self) -> str:
        """Give what has come of a line, and begin a new one."""
        self.begin = self._fed
        return self._give()

    def _give(self) -> str:
        text = self._rest.removesuffix(b"\r").decode(errors="replace") + (CUT if self._cut else "")
        self._rest.clear()
        self._cut = False
        return text


def spoken_time(text: str) -> float | None:
    """Read the time that a line begins with, e.g. `2026-11-21T03:04:05.123Z`; without a zone it counts as UTC."""
    found = _STAMP.match(text)
    if found is None:
        return None
    day, time, fraction, zone = found.groups(default="")
    zone = "+00:00" if zone in ("", "Z", "UTC") else zone
    try:
        when = datetime.fromisoformat(f"{day}T{time}{zone}")
    except ValueError:
        return None
    return when.astimezone(UTC).timestamp() + float(f"0.{fraction or 0}")
