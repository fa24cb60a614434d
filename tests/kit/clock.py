"""A clock that tests move."""

import anyio

__all__ = ["ManualClock"]


class ManualClock:
    """Time stands still until `pass_by` is called; sleepers wake when their moment has come."""

    def __init__(self, now: float = 1_800_000_000.0, monotonic: float = 1000.0) -> None:
        self._now = now
        self._monotonic = monotonic
        self._changed = anyio.Event()

    def now(self) -> float:
        """Tell the wall time."""
        return self._now

    def monotonic(self) -> float:
        """Tell the monotonic time."""
        return self._monotonic

    def jump(self, seconds: float) -> None:
        """Change the wall time alone, as somebody who sets the machine's clock does."""
        self._now += seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
        self._monotonic += seconds
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def sleep(self, seconds: float) -> None:
        """Wait until time has passed by."""
        end = self._monotonic + seconds
        while self._monotonic < end:
            await self._changed.wait()
