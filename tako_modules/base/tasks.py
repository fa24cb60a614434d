"""Small pieces of structured concurrency: a published value, repetition, retries."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from .clock import Clock

__all__ = ["Snapshot", "every", "retry"]

T = TypeVar("T")


class Snapshot(Generic[T]):
    """The newest whole value; readers never see half of an update. One owner publishes."""

    def __init__(self, value: T) -> None:
        self.value = value
        self._changed = anyio.Event()

    def publish(self, value: T) -> None:
        """Replace the value and wake everybody who waits for a change."""
        self.value, changed, self._changed = value, self._changed, anyio.Event()
        changed.set()

    async def changed(self) -> None:
        """Wait until the value is replaced once more."""
        await self._changed.wait()


async def every(seconds: float, act: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Do something again and again, `seconds` apart, until cancelled."""
    while True:
        await act()
        await clock.sleep(seconds)


async def retry(act: Callable[[], Awaitable[T]], pauses: tuple[float, ...], on: type[Exception], clock: Clock) -> T:
    """Try once, and once more after each pause (seconds) while it raises `on`; the last error is raised."""
    for pause in pauses:
        try:
            return await act()
        except on:
            await clock.sleep(pause)
    return await act()
