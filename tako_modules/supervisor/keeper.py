"""One instance, looked at until the task is cancelled: first whether it is ready, then whether it is still well.

Facts are reported, nothing is decided: `plan.health` counts the failures. Before the first pass counts, the port must
be the instance's own, else another program's answer would bring it traffic.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from tako_modules.base.clock import Clock
from tako_modules.base.errors import TakoError
from tako_modules.protocol.replies import FailureData

from . import probe, verdict
from .ports import Ownership
from .verdict import Seen

__all__ = ["LOOPBACK", "Loopback", "ProbeFact", "ProbeFailed", "ProbePassed", "Probes", "Watched", "keep"]

START_INTERVAL = 0.1  # seconds between looks while it starts
INTERVAL = 1.0  # seconds from one look to the next afterwards
REPEAT_SECONDS = 10.0  # news that is no news is repeated so often: a pass while well
NEWS_SECONDS = 3.0  # of being well in which every pass is news: a rollout waits for its stability window
START_REPEAT_SECONDS = 1.0  # and so often while starting: the same failure
LOOK_AFTER = 2.0  # seconds without a pass after which the instance's listeners are looked at, to tell people
LOOK_EVERY = 5.0  # seconds between such looks: each may cost a process
HELD_TWICE = 2  # looks in a row that must find a stranger on the port: the app may be replacing its listener
BODY_SHOWN = 200  # characters of a body in a failure
WILDCARD_WARNING = "it listens on all addresses, not on $HOST 127.0.0.1 alone"


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What to look at; host: verdict.app_host; path: `[health].path`, "" for none.

    healthy: it was well before this control knew it (adopted), so no first pass is awaited.
    """

    instance: str
    number: int
    port: int
    host: str
    path: str = ""
    healthy: bool = False


class ProbePassed(msgspec.Struct, frozen=True, kw_only=True):
    """It is well; sdk: by its own word; warning: what a person should change all the same."""

    instance: str
    sdk: bool = False
    warning: str = ""


class ProbeFailed(msgspec.Struct, frozen=True, kw_only=True):
    """It is not well; final: it can never be, another process has its port."""

    instance: str
    failure: FailureData
    final: bool = False


ProbeFact = ProbePassed | ProbeFailed


class Probes(Protocol):
    """How an instance is looked at."""

    async def get(self, port: int, host: str, path: str) -> Seen:
        """Ask for a page."""
        ...

    async def connects(self, port: int) -> str:
        """Try a connection: "" when it stands, else the reason."""
        ...


class Loopback:
    """The real thing."""

    async def get(self, port: int, host: str, path: str) -> Seen:
        """Ask for a page over 127.0.0.1."""
        return await probe.get(port, host, path)

    async def connects(self, port: int) -> str:
        """Try a connection over 127.0.0.1."""
        return await probe.connects(port)


LOOPBACK = Loopback()


def _never() -> bool:
    return False


async def keep(
    watched: Watched,
    report: Callable[[ProbeFact], None],
    clock: Clock,
    owns: Callable[[], Awaitable[Ownership]],
    probes: Probes = LOOPBACK,
    *,
    troubled: Callable[[], bool] = _never,
) -> None:
    """Report how an instance is until cancelled; returns only after a final failure.

    owns: look whose the instance's port is; it may raise TakoError, which counts as a failed probe. troubled: tells,
    once for each time, whether requests of clients have failed there.
    """
    keeper = _Keeper(watched, report, clock, probes, troubled)
    if watched.healthy:
        await keeper.recognise()
    elif not await keeper.await_ready(owns):
        return
    await keeper.stay(is_told=not watched.healthy)


class _Look(msgspec.Struct, frozen=True):
    """What one look found: the rule that is broken, "" for none, and what was seen."""

    rule: str
    seen: Seen


class _Keeper:
    """The state of one `keep`."""

    def __init__(
        self,
        watched: Watched,
        report: Callable[[ProbeFact], None],
        clock: Clock,
        probes: Probes,
        troubled: Callable[[], bool],
    ) -> None:
        self._troubled = troubled
        self._in_doubt = False
        self._watched = watched
        self._report = report
        self._clock = clock
        self._probes = probes
        self._sdk_path = ""
        self._listens = ""
        self._next_look = clock.monotonic() + LOOK_AFTER

    async def recognise(self) -> None:
        """Find out whether an instance that is well has an SDK."""
        if not self._watched.path:
            await self._ask_sdk()

    async def await_ready(self, owns: Callable[[], Awaitable[Ownership]]) -> bool:
        """Look until it is ready and the port is its own; False after a final failure."""
        held, told, told_at = 0, "", 0.0
        while True:
            look = await self._first_look()
            ownership = await self._ownership(look, owns)
            held = held + 1 if ownership is not None and ownership.held else 0
            if ownership is not None and ownership.ok and not look.rule:
                self._pass(WILDCARD_WARNING if ownership.wildcard else "")
                return True
            failure = self._failure(look)
            now = self._clock.monotonic()
            final = held >= HELD_TWICE
            if final or failure.detail != told or now >= told_at + START_REPEAT_SECONDS:
                told, told_at = failure.detail, now
                self._report(ProbeFailed(instance=self._watched.instance, failure=failure, final=final))
            if final:
                return False
            await self._clock.sleep(START_INTERVAL)

    async def _ownership(self, look: _Look, owns: Callable[[], Awaitable[Ownership]]) -> Ownership | None:
        """Look whose the port is: after a pass, and now and then without one; None when nobody looked."""
        now = self._clock.monotonic()
        if look.rule and now < self._next_look:
            return None
        self._next_look = now + LOOK_EVERY
        try:
            found = await owns()
        except TakoError as problem:
            self._listens = problem.message
            return None
        self._listens = found.words(self._watched.port)
        return found

    async def stay(self, *, is_told: bool) -> None:
        """Look once a second, for ever; a pass is reported when it is news; is_told: one has just been reported."""
        told_at = well_since = self._clock.monotonic()
        was_well = is_told
        while True:
            began = self._clock.monotonic()
            look = await self._look()
            if look.rule:
                self._report(ProbeFailed(instance=self._watched.instance, failure=self._failure(look)))
                was_well = False
            else:
                well_since = well_since if was_well else began
                if not was_well or began >= told_at + REPEAT_SECONDS or began < well_since + NEWS_SECONDS:
                    self._pass("")
                    told_at = began
                was_well = True
            await self._clock.sleep(max(0.0, began + INTERVAL - self._clock.monotonic()))

    async def _first_look(self) -> _Look:
        watched = self._watched
        if watched.path:
            return await self._look()
        found = await self._ask_sdk()
        if found is not None:
            return found
        seen = await self._probes.get(watched.port, watched.host, "/")
        return _Look(verdict.ready(seen), seen)

    async def _ask_sdk(self) -> _Look | None:
        """Ask for the status that only our SDK answers; None when there is none."""
        for path in verdict.STATUS_PROBES:
            seen = await self._probes.get(self._watched.port, verdict.INTERNAL_HOST, path)
            answer = verdict.sdk_answer(seen, self._watched.number)
            if answer is not None:
                self._sdk_path = path
                return _Look(verdict.sdk_well(answer), seen)
            if not seen.answered:
                return None
        return None

    async def _look(self) -> _Look:
        """Look at an instance of which it is known how to look at it."""
        watched = self._watched
        if watched.path:
            seen = await self._probes.get(watched.port, watched.host, watched.path)
            return _Look(verdict.probe_path(seen), seen)
        if self._sdk_path:
            seen = await self._probes.get(watched.port, verdict.INTERNAL_HOST, self._sdk_path)
            return _Look(verdict.sdk_well(verdict.sdk_answer(seen, watched.number)), seen)
        self._in_doubt = self._troubled() or self._in_doubt
        if self._in_doubt:
            seen = await self._probes.get(watched.port, watched.host, "/")
            self._in_doubt = not seen.answered
            return _Look(verdict.answers(seen), seen)
        error = await self._probes.connects(watched.port)
        seen = Seen(url=f"tcp://{probe.HOST}:{watched.port}", host="", error=error)
        return _Look(verdict.SERVED_RULE if error else "", seen)

    def _pass(self, warning: str) -> None:
        self._listens = ""
        self._report(ProbePassed(instance=self._watched.instance, sdk=bool(self._sdk_path), warning=warning))

    def _failure(self, look: _Look) -> FailureData:
        seen = look.seen
        rule = look.rule or "the instance's port must be its own"
        return FailureData(
            rule=rule,
            detail="; ".join(text for text in (seen.words if look.rule else "", self._listens) if text),
            url=seen.url,
            status=seen.status,
            body=seen.body[:BODY_SHOWN],
        )
