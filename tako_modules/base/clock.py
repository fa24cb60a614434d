"""Time behind one protocol, so that tests can make it jump."""

import time
from datetime import UTC, datetime
from typing import Protocol

import anyio

__all__ = ["Clock", "SystemClock", "utc_text"]


class Clock(Protocol):
    """The only way to read time or to wait."""

    def now(self) -> float:
        """Tell the wall time in seconds since 1970 (UTC); it may jump."""
        ...

    def monotonic(self) -> float:
        """Tell seconds that only grow; the same for all processes of a machine since it booted."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Tell the wall time in seconds since 1970 (UTC)."""
        return time.time()

    def monotonic(self) -> float:
        """Tell seconds since boot, sleep of the machine not counted."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)


def utc_text(seconds: float) -> str:
    """Write a wall time as ISO 8601 in UTC with `Z`, whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
