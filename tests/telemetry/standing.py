"""A clock that a test sets."""

import anyio
import anyio.lowlevel

__all__ = ["StandingClock"]


class StandingClock:
    """Stands still but for sleepers, who are woken at once."""

    def __init__(self, time: float = 1_000_000.0) -> None:
        self.time = time
        self.slept = 0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.time += seconds
        await anyio.lowlevel.checkpoint()
