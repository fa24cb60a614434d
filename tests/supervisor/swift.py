"""Time and an app that a test writes down: nothing waits, nothing listens."""

from collections.abc import Callable

import anyio
import anyio.lowlevel

from tako_modules.supervisor.verdict import Seen

__all__ = ["ScriptedProbes", "SwiftClock"]


class SwiftClock:
    """A clock whose sleepers sleep no longer than a look at other tasks; it ends the test's task at `end`."""

    def __init__(self, end: float) -> None:
        self.time = 1000.0
        self.end = 1000.0 + end
        self.scope = anyio.CancelScope()

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.time > self.end:
            self.scope.cancel()
        await anyio.lowlevel.checkpoint()


class ScriptedProbes:
    """An app by its answers: (host, path) and the time since the start → status, body and what else was seen."""

    def __init__(self, clock: SwiftClock, answer: Callable[[str, str, float], Seen], *, accepts: bool = True) -> None:
        self._clock = clock
        self._began = clock.time
        self._answer = answer
        self.accepts = accepts
        self.asked: list[str] = []

    async def get(self, port: int, host: str, path: str) -> Seen:
        self.asked.append(f"{host}{path}")
        return self._answer(host, path, self._clock.time - self._began)

    async def connects(self, port: int) -> str:
        self.asked.append("connect")
        return "" if self.accepts else "connection refused"
