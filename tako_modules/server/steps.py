"""How each step of the planner is carried out: state first, then one packet, task or file; nothing here waits."""

import signal
from collections.abc import Callable

import msgspec

from tako_modules.base import log
from tako_modules.base.clock import Clock
from tako_modules.base.errors import TakoError
from tako_modules.model.deployment import Vitals
from tako_modules.model.instance import Instance, InstanceEvent
from tako_modules.plan import health, steps
from tako_modules.protocol.replies import FailureData

from .apply import crashed
from .crew import Crew
from .host import Host
from .ledger import Ledger
from .registry import Entry

__all__ = ["Steps"]

replace = msgspec.structs.replace
CLOSING_SECONDS = 60.0  # from the undoing of a rollout to the moment at which no old instance is started any more


class Steps:
    """Carries steps out for the inbox."""

    def __init__(self, ledger: Ledger, crew: Crew, host: Host, clock: Clock) -> None:
        self._ledger = ledger
        self._crew = crew
        self._host = host
        self._clock = clock
        self._table: dict[type[steps.Step], Callable[..., None]] = {
            steps.Spawn: self._spawn,
            steps.Admit: self._admit,
            steps.Retire: self._retire,
            steps.Terminate: self._terminate,
            steps.Kill: self._kill,
            steps.Break: self._break,
            steps.Forget: self._forget,
            steps.Commit: self._commit,
            steps.Undo: self._undo,
            steps.Finish: self._finish,
            steps.Sleep: self._sleep,
        }

    def carry_out(self, entry: Entry, step: steps.Step) -> None:
        """Do one step."""
        self._table[type(step)](entry, step)

    def _say(self, entry: Entry, text: str, one: Instance) -> None:
        if entry.watch is not None:
            entry.watch.say(text, instance=str(one.number), version=one.version)

    def _spawn(self, entry: Entry, step: steps.Spawn) -> None:
        number = entry.deployment.next_number
        port = self._ledger.take_port(entry.app, number)
        one = Instance(
            app=entry.app, number=number, version=step.version, port=port, spawned_at=self._clock.monotonic()
        )
        entry.set(next_number=number + 1)
        entry.instances[one.number] = one
        self._say(entry, f"starting instance {number} on port {port}", one)
        try:
            self._crew.start(entry, one)
        except TakoError as problem:
            self._crew.failed_to_start(entry, one, problem.message)

    def _admit(self, entry: Entry, step: steps.Admit) -> None:
        one = replace(entry.instances[step.number], admitted=True)
        entry.instances[one.number] = one
        if entry.watch is not None:
            now = self._clock.monotonic()
            healthy = (one.healthy_at or now) - one.spawned_at
            entry.watch.admitted[one.number] = (healthy, now - one.spawned_at, one.port, one.warning)
        self._say(entry, f"instance {one.number} gets traffic", one)

    def _retire(self, entry: Entry, step: steps.Retire) -> None:
        one = entry.instances[step.number]
        never_served = not one.admitted
        retired = health.retired(one, self._clock.monotonic())
        entry.instances[one.number] = replace(retired, drained=never_served)
        self._crew.stop_watching(one)
        if entry.watch is not None:
            entry.watch.replaced += 1
        self._say(entry, f"instance {one.number} finishes its requests", one)

    def _terminate(self, entry: Entry, step: steps.Terminate) -> None:
        one = entry.instances[step.number]
        entry.instances[one.number] = replace(one, terminated_at=self._clock.monotonic())
        self._crew.signal(one, signal.SIGTERM)

    def _kill(self, entry: Entry, step: steps.Kill) -> None:
        one = entry.instances[step.number]
        entry.instances[one.number] = replace(one, killed=True, admitted=False)
        self._crew.stop_watching(one)
        self._crew.signal(one, signal.SIGKILL)

    def _break(self, entry: Entry, step: steps.Break) -> None:
        one = entry.instances[step.number]
        seen = entry.failures.get(one.number, FailureData(rule=""))
        entry.failures[one.number] = replace(seen, rule=step.reason, detail=seen.detail or one.reason)
        reason = f"{step.reason}: {one.reason}" if one.reason else step.reason
        entry.instances[one.number] = replace(one.after(InstanceEvent.BROKEN), reason=reason)
        crashed(entry, entry.instances[one.number], reason, self._clock.monotonic())

    def _forget(self, entry: Entry, step: steps.Forget) -> None:
        self._ledger.remove_instance(entry.instances[step.number])
        del entry.instances[step.number]

    def _commit(self, entry: Entry, step: steps.Commit) -> None:
        change = entry.deployment.rollout
        if change is None:
            return
        vitals = Vitals(awake=True, active_at=self._clock.monotonic())
        committed = replace(
            entry.deployment,
            shape=change.after,
            stopped=False,
            vitals=vitals,
            rollout=replace(change, committed=True),
        )
        self._ledger.commit(entry, committed)
        try:
            self._host.set_current(entry.app, change.after.version)
        except OSError as problem:
            log.error("release.current", problem, app=entry.app, version=change.after.version)
        if entry.watch is not None:
            entry.watch.say("all new instances have traffic", version=change.after.version)

    def _undo(self, entry: Entry, step: steps.Undo) -> None:
        change = entry.deployment.rollout
        if change is None:
            return
        now = self._clock.monotonic()
        entry.set_rollout(undoing=True, reason=change.reason or step.reason, deadline=now + CLOSING_SECONDS)
        watch = entry.watch
        if watch is None:
            return
        broken = [n for n in sorted(entry.failures) if n in entry.instances and n >= change.first_number]
        if broken and watch.failure is None:
            watch.failed_number, watch.failure = broken[0], entry.failures[broken[0]]
        watch.say(f"undoing: {step.reason}")

    def _finish(self, entry: Entry, step: steps.Finish) -> None:
        change = entry.deployment.rollout
        if change is None:
            return
        ended = replace(change, outcome=step.outcome, finished_at=self._clock.now())
        entry.set(rollout=None, last=ended)
        try:
            self._ledger.finish(entry, ended)
        except TakoError as problem:  # what was committed is on the disk, and the rest is tried again with what settles
            log.event("rollout.unwritten", app=entry.app, message=problem.message)
        log.event(
            "rollout.finished", app=entry.app, kind=ended.kind, version=ended.after.version, outcome=ended.outcome
        )
        watch, entry.watch = entry.watch, None
        if watch is not None:
            watch.rollout = ended
            if watch.ended is not None:
                watch.ended()

    def _sleep(self, entry: Entry, step: steps.Sleep) -> None:
        entry.set(vitals=replace(entry.deployment.vitals, awake=False))
