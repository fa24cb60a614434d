"""A clock that stands still until a test moves it."""

import anyio


class JumpingClock:
    """Wall and monotonic time are one value; sleepers wake when it passes their moment."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._sleepers: list[tuple[float, anyio.Event]] = []
        self._slept = anyio.Event()

    def now(self) -> float:
        """Tell the wall time."""
        return self._now

    def monotonic(self) -> float:
        """Tell the same."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until a jump passes."""
        woken = anyio.Event()
        self._sleepers.append((self._now + seconds, woken))
        self._slept.set()
        await woken.wait()

    async def jump(self, seconds: float) -> None:
        """Move time on, and wait until whoever woke sleeps again."""
        await self._wait_for_sleepers(1)
        self._now += seconds
        woken = [event for until, event in self._sleepers if until <= self._now]
        self._sleepers = [(until, event) for until, event in self._sleepers if until > self._now]
        for event in woken:
            event.set()
        await self._wait_for_sleepers(len(woken))

    async def _wait_for_sleepers(self, count: int) -> None:
        while len(self._sleepers) < count:
            self._slept = anyio.Event()
            await self._slept.wait()
