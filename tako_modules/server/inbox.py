"""One fact at a time: apply it, ask the planner, carry the steps out; it never waits for anything.

Facts that arrive while another is being handled wait in a queue, so an entry is never changed by two of them at once.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

import anyio

from tako_modules.base import log
from tako_modules.base.clock import Clock
from tako_modules.base.errors import TakoError
from tako_modules.plan import reconcile
from tako_modules.plan.steps import Step

from . import facts
from .apply import apply
from .registry import Entry, Registry

__all__ = ["Actions", "Inbox"]

ROUNDS = 200  # steps ↔ plan rounds for one fact; a plan that has not settled then is a bug, not a reason to spin
TRY_AGAIN_SECONDS = 2.0  # after a step that the disk refused
LONGEST_WAIT = 3600.0  # seconds: with nothing to wait for, look once an hour all the same


class Actions(Protocol):
    """Who carries steps out and keeps what changed."""

    def carry_out(self, entry: Entry, step: Step) -> None:
        """Do one step without waiting."""
        ...

    def settled(self, entry: Entry) -> None:
        """Store and publish what changed."""
        ...


class Inbox:
    """The only writer of the registry."""

    def __init__(self, registry: Registry, actions: Actions, clock: Clock) -> None:
        self._registry = registry
        self._actions = actions
        self._clock = clock
        self._queue: deque[tuple[str, facts.Fact]] = deque()
        self._busy = False
        self._changed = anyio.Event()
        self.closed = False

    def put(self, app: str, fact: facts.Fact) -> None:
        """Take a fact about a deployment; its steps are done, or on their way, when this returns.

        A closed inbox drops it: the server ends, and nothing may be started any more.
        """
        if self.closed:
            return
        self._queue.append((app, fact))
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                self._take(*self._queue.popleft())
        finally:
            self._busy = False

    def _take(self, app: str, fact: facts.Fact) -> None:
        """Act on a fact; a full disk stops changes, not the server: what could not be done is tried again soon."""
        entry = self._registry.get(app)
        if entry is None or not apply(entry, fact, self._clock.monotonic()):
            return
        done = self._act(entry, fact)
        entry.wake_at = reconcile.wake_at(entry.view(self._clock.monotonic()))
        written = self._tried(entry, lambda: self._actions.settled(entry))
        if not done or not written:
            again = self._clock.monotonic() + TRY_AGAIN_SECONDS
            entry.wake_at = again if entry.wake_at is None else min(entry.wake_at, again)
        self._changed.set()

    def _act(self, entry: Entry, fact: facts.Fact) -> bool:
        """Plan and act until nothing is left to do; False when a step could not be done."""
        for _ in range(ROUNDS):
            steps = reconcile.steps(entry.view(self._clock.monotonic()))
            if not steps:
                return True
            done = [self._tried(entry, partial(self._actions.carry_out, entry, step)) for step in steps]
            if not all(done):
                return False
        log.event("plan.unsettled", app=entry.app, fact=type(fact).__name__)
        return True

    def _tried(self, entry: Entry, act: Callable[[], None]) -> bool:
        try:
            act()
        except TakoError as problem:
            log.event("inbox.failed", app=entry.app, message=problem.message)
            return False
        return True

    async def keep_time(self) -> None:
        """Send a Tick to each deployment whose next moment has come, until cancelled."""
        while True:
            now = self._clock.monotonic()
            for entry in list(self._registry):
                if entry.wake_at is not None and entry.wake_at <= now:
                    entry.wake_at = None
                    self.put(entry.app, facts.Tick())
            self._changed = anyio.Event()
            due = [entry.wake_at for entry in self._registry if entry.wake_at is not None]
            pause = min(due, default=now + LONGEST_WAIT) - self._clock.monotonic()
            with anyio.move_on_after(max(0.0, pause)):
                await self._changed.wait()
