"""What all connections of one worker share."""

import heapq
import os
import time
from collections.abc import Callable
from typing import Protocol

from tako_modules.net.loop import Loop

from .access import AccessLog
from .counters import Counters

__all__ = ["Context", "Guest", "Reports"]


SHED = 256  # idle connections closed at once when there are no descriptors left: some milliseconds of the loop's time


class Reports(Protocol):
    """Where facts go: the feed."""

    def emptied(self, instance: str, *, urgent: bool) -> None:
        """Report that nothing is in flight at an instance."""

    def wake(self, app: str) -> None:
        """Ask for an instance of an app."""

    def upstream_failed(self, instance: str, reason: str) -> None:
        """Report an instance that refused a connection or broke one."""


class Guest(Protocol):
    """One open client connection, as far as the worker's end is concerned."""

    deadline: float

    @property
    def idle(self) -> bool:
        """Whether it has been answered and has not asked again."""

    def bow_out(self) -> None:
        """Make the next answer the last one."""

    def part(self) -> None:
        """Say goodbye, if this is a tunnel: the time is nearly over."""

    def cut(self) -> None:
        """End now."""


class Context:
    """The loop, the counters, who is connected; draining: every answer is the last one of its connection."""

    __slots__ = (
        "_number",
        "_prefix",
        "access",
        "counters",
        "draining",
        "guests",
        "loop",
        "on_empty",
        "reports",
        "wall",
    )

    def __init__(self, loop: Loop, access: AccessLog, reports: Reports) -> None:
        self.loop = loop
        self.access = access
        self.reports = reports
        self.counters = Counters()
        self.guests: set[Guest] = set()
        self.draining = False
        self.wall = time.time
        self.on_empty: Callable[[], None] = _nothing
        self._prefix = os.urandom(6).hex().encode("ascii") + b"%08x"
        self._number = 0

    def request_id(self) -> bytes:
        """Make the next request id: 20 hexadecimal digits, the first 12 of them this worker's."""
        self._number += 1
        return self._prefix % self._number

    def left(self, guest: Guest) -> None:
        """Take note that a connection is gone."""
        self.guests.discard(guest)
        if self.draining and not self.guests:
            self.on_empty()

    def shed(self) -> None:
        """Close the connections that have been idle for longest: whoever asks something needs their descriptors."""
        for guest in heapq.nsmallest(SHED, (one for one in self.guests if one.idle), key=_deadline):
            guest.cut()


def _deadline(guest: Guest) -> float:
    return guest.deadline


def _nothing() -> None:
    """Nobody waits for the last connection yet."""
