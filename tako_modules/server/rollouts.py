"""Beginning a rollout and waiting for its end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import msgspec

from tako_modules.base import ids
from tako_modules.base.clock import Clock, utc_text
from tako_modules.base.errors import Refused
from tako_modules.mgmt.refusal import Refusal
from tako_modules.model.deployment import Counters, Kind, Outcome, Rollout, Shape
from tako_modules.protocol.replies import InstanceReceipt, Receipt, StepEvent

from . import facts
from .inbox import Inbox
from .ledger import Ledger
from .registry import Entry, Watch

__all__ = ["WINDOW_SECONDS", "Rollouts", "Wish", "receipt"]

WINDOW_SECONDS = 2.0  # a new instance must stay healthy this long before it gets traffic
MARGIN_SECONDS = 60.0  # beyond what its instances may take, one after the other
EARLIEST = 0.001  # seconds after the one before it: history is ordered by time, also where the clock was set back
EVENTS = 1000  # steps that may wait for a slow client; more are dropped, the end is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a message asks for: the shape to reach, and how."""

    kind: Kind
    after: Shape
    window: float = WINDOW_SECONDS
    parallel: bool = False
    note: str = ""
    requested_by: str = ""


Words = Callable[[str, int], Awaitable[tuple[str, ...]]]


class Rollouts:
    """Begins rollouts and hears of their ends."""

    def __init__(self, inbox: Inbox, ledger: Ledger, clock: Clock, words: Words) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._clock = clock
        self._words = words

    def begin(self, entry: Entry, wish: Wish, counters: dict[str, Counters]) -> Watch:
        """Write the rollout down and start it; raises Refused while another one runs."""
        deployment = entry.deployment
        if deployment.rollout is not None:
            raise Refused(
                f"{entry.app} is being changed by another {deployment.rollout.kind}",
                code="busy",
                hint=f"wait for it and look with `tako status`; it began {utc_text(deployment.rollout.started_at)}",
            )
        last = deployment.last.started_at + EARLIEST if deployment.last else 0.0
        release = entry.releases.get(wish.after.version)
        timeout = release.recipe.health.timeout if release and release.recipe else WINDOW_SECONDS
        rollout = Rollout(
            id=_new_id(max(self._clock.now(), last)),
            app=entry.app,
            kind=wish.kind,
            after=wish.after,
            before=deployment.shape,
            window=wish.window,
            parallel=wish.parallel,
            note=wish.note,
            requested_by=wish.requested_by,
            started_at=max(self._clock.now(), last),
            deadline=self._clock.monotonic() + _longest(wish, timeout),
            first_number=deployment.next_number,
        )
        vitals = msgspec.structs.replace(deployment.vitals, crashes=0, next_start_at=0.0)
        self._ledger.change(entry, msgspec.structs.replace(deployment, rollout=rollout, vitals=vitals))
        entry.watch = Watch(rollout, counters)
        return entry.watch

    async def run(self, entry: Entry, watch: Watch, tell: Callable[[StepEvent], Awaitable[None]]) -> Rollout:
        """Let it go and wait for its end, telling each step; gives the finished rollout, whatever its outcome."""
        send, receive = anyio.create_memory_object_stream[StepEvent](EVENTS)
        ended = anyio.Event()

        def forward(step: StepEvent) -> None:
            if send.statistics().current_buffer_used < EVENTS:
                send.send_nowait(step)

        watch.listeners.append(forward)

        def end() -> None:
            ended.set()
            send.close()

        watch.ended = end
        self._inbox.put(entry.app, facts.Tick())
        with send, receive:
            async for step in receive:
                await tell(step)
            await ended.wait()
        return watch.rollout

    async def failure(self, entry_app: str, watch: Watch) -> Refusal:
        """Word a rollout that did not succeed, with the last lines that its broken instance printed."""
        rollout, failure = watch.rollout, watch.failure
        if failure is not None and watch.failed_number is not None:
            failure = msgspec.structs.replace(failure, log=await self._words(entry_app, watch.failed_number))
        if rollout.outcome is Outcome.CANCELLED:
            return Refusal(
                f"{rollout.kind} of {rollout.after.version} was cancelled; everything is as before",
                failure=failure,
                code="cancelled",
                hint="run `tako status` to see what serves",
            )
        return Refusal(
            f"{rollout.kind} of {rollout.after.version} failed: {rollout.reason}; everything is as before",
            failure=failure,
            code="rollback",
            hint=f"run `tako logs --lines 50` to see what {rollout.after.version} printed, then deploy again",
        )


def receipt(watch: Watch, counters: dict[str, Counters], longest_wait: int, now: float) -> Receipt:
    """Add up what a rollout did; counters: the requests of the deployment by version; longest_wait: milliseconds."""
    rollout = watch.rollout
    return Receipt(
        instances=tuple(
            InstanceReceipt(id=number, port=port, healthy_after=healthy, admitted_after=admitted, warning=warning)
            for number, (healthy, admitted, port, warning) in sorted(watch.admitted.items())
        ),
        phases={"rollout": max(0.0, (rollout.finished_at or now) - rollout.started_at)},
        requests=msgspec.structs.replace(_during(rollout, watch.counters_before, counters), longest_wait=longest_wait),
        replaced=watch.replaced,
    )


def _during(rollout: Rollout, before: dict[str, Counters], after: dict[str, Counters]) -> Counters:
    """Count the requests of a rollout: all that ended in it, and those that a replaced version began and never ended.

    What the version that serves now has still open is not affected by it: it is counted by the next look at `status`.
    """
    total = Counters()
    for version, count in after.items():
        earlier = before.get(version, Counters())
        grown = count.since(earlier)
        open_now = count.started - count.finished if version != rollout.after.version else 0
        total = total.plus(msgspec.structs.replace(grown, started=grown.finished + open_now))
    return total


def _longest(wish: Wish, timeout: float) -> float:
    rounds = 1 if wish.parallel else max(1, wish.after.instances)
    return rounds * (timeout + wish.window) + MARGIN_SECONDS


def _new_id(now: float) -> str:
    return utc_text(now).replace(":", "").replace("-", "") + "-" + ids.token(2)
