"""Requests that wait for an instance: first come, first served, within bounds, let go at a growing pace."""

from collections import deque
from typing import Protocol

from tako_modules.net.loop import Loop

__all__ = ["Held", "Queue"]

BATCH = 50  # the first ones let go; a cold app does best when it is not hit by all at once
BATCH_SECONDS = 0.05  # until the next ones, twice as many: a thousand are gone in a quarter of a second
RETRY_SECONDS = 0.25  # until instances that refused are tried again


class Held(Protocol):
    """A request that waits; weight: its bytes in memory."""

    weight: int

    def release(self) -> bool:
        """Go on; false when there is no instance after all and it still has to wait."""

    def give_up(self) -> None:
        """Answer without an instance: there will be none."""


class Queue:
    """The waiting requests of one app on one worker; line: themselves, in their order."""

    __slots__ = ("_batch", "_bytes", "_loop", "_pumping", "line")

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.line: deque[Held] = deque()
        self._bytes = 0
        self._batch = BATCH
        self._pumping = False

    def __len__(self) -> int:
        return len(self.line)

    def admit(self, held: Held, waiting: int, size: int) -> bool:
        """Let one wait, unless there are `waiting` of them or they would take more than `size` bytes."""
        if len(self.line) >= waiting or self._bytes + held.weight > size:
            return False
        self.line.append(held)
        self._bytes += held.weight
        return True

    def remove(self, held: Held) -> None:
        """Take one out whose client is gone or has waited too long."""
        if held in self.line:
            self.line.remove(held)
            self._bytes -= held.weight

    def pump(self) -> None:
        """Let go from now on, batch after batch."""
        if not self._pumping and self.line:
            self._pumping = True
            self._batch = BATCH
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        for _ in range(min(self._batch, len(self.line))):
            held = self.line[0]
            if not held.release():
                self._batch = BATCH
                self._loop.call_later(RETRY_SECONDS, self._pump)
                return
            self.remove(held)
        self._batch *= 2
        if self.line:
            self._loop.call_later(BATCH_SECONDS, self._pump)
        else:
            self._pumping = False

    def dissolve(self) -> None:
        """Have all of them answered without an instance."""
        while self.line:
            held = self.line.popleft()
            self._bytes -= held.weight
            held.give_up()
