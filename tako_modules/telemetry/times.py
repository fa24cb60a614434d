"""When the bytes of a log file came: a sparse index beside it, so that the bytes themselves stay as the app wrote them.

A record is (offset, wall time), 16 bytes: what lies from this offset on came at that time or, until the next record, up
to a second later. A record that a power cut tore is ignored.
"""

import bisect
import struct
from collections.abc import Iterable

__all__ = ["RECORD", "RECORDS", "Times", "record"]

RECORD = struct.Struct("<Qd")
RECORDS = 1 << 16  # of one file, 1 MiB; a segment that has more of them is set aside


def record(offset: int, time: float) -> bytes:
    """Write one record."""
    return RECORD.pack(offset, time)


class Times:
    """The index of one file; without any record everything came at `otherwise`."""

    def __init__(self, data: bytes, otherwise: float) -> None:
        whole = data[: len(data) - len(data) % RECORD.size]
        pairs: Iterable[tuple[int, float]] = RECORD.iter_unpack(whole)
        self._records = sorted(pairs)
        self._otherwise = otherwise

    def at(self, offset: int) -> float:
        """Tell when a byte came, in seconds since 1970."""
        place = bisect.bisect_right(self._records, offset, key=lambda one: one[0])
        if place:
            return self._records[place - 1][1]
        return self._records[0][1] if self._records else self._otherwise
