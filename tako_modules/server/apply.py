"""What a fact makes of an entry: small functions in one table, pure but for the entry that they change."""

from collections.abc import Callable

import msgspec

from tako_modules.model.instance import Instance, InstanceEvent, InstanceState
from tako_modules.plan import health, restart, rollout
from tako_modules.protocol.replies import FailureData

from . import facts
from .registry import Entry

__all__ = ["CHANGES", "apply", "crashed"]

replace = msgspec.structs.replace


def apply(entry: Entry, fact: facts.Fact, now: float) -> bool:
    """Change an entry by what happened (now: monotonic seconds); False when the fact is about nothing that is known."""
    return CHANGES[type(fact)](entry, fact, now)


def _spawned(entry: Entry, fact: facts.Spawned, now: float) -> bool:
    one = entry.instances.get(fact.number)
    if one is None:
        return False
    if (one.pid, one.birth) != (fact.pid, fact.birth):  # else it is the same one, adopted by a new control
        entry.instances[fact.number] = replace(one, pid=fact.pid, birth=fact.birth, spawned_at=now)
    return True


def _spawn_failed(entry: Entry, fact: facts.SpawnFailed, now: float) -> bool:
    one = entry.instances.get(fact.number)
    if one is None:
        return False
    entry.failures[fact.number] = FailureData(rule="the process could not be started", detail=fact.message)
    _gone(entry, one, f"could not be started: {fact.message}", now)
    return True


def _exited(entry: Entry, fact: facts.Exited, now: float) -> bool:
    one = entry.instances.get(fact.number)
    if one is None or one.gone:
        return False
    ended = health.after_exit(one, fact.code)
    if one.state in (InstanceState.DRAINING, InstanceState.FAILED):
        entry.instances[fact.number] = ended
        return True
    seen = entry.failures.get(fact.number, FailureData(rule=""))
    entry.failures[fact.number] = replace(seen, rule=f"the process {ended.reason}", exit_code=fact.code)
    _gone(entry, one, ended.reason, now)
    return True


def _gone(entry: Entry, one: Instance, reason: str, now: float) -> None:
    state = one.after(InstanceEvent.EXITED)
    entry.instances[one.number] = replace(
        state, gone=True, admitted=False, drained=True, reason=reason, pid=None, birth=None
    )
    crashed(entry, one, reason, now)


def crashed(entry: Entry, one: Instance, reason: str, now: float) -> None:
    """Count it, unless a rollout brought it: that has its own answer, and must not put off what serves."""
    change = entry.deployment.rollout
    if change is not None and rollout.tries(change, one):
        return
    entry.set(vitals=restart.after_crash(entry.deployment.vitals, one, now, reason))


def _passed(entry: Entry, fact: facts.Passed, now: float) -> bool:
    one = entry.instances.get(fact.number)
    if one is None or one.gone or one.state is InstanceState.DRAINING:
        return False
    entry.instances[fact.number] = health.after_pass(one, now, fact.warning)
    entry.set(vitals=restart.after_pass(entry.deployment.vitals, one, now))
    return True


def _probed(entry: Entry, fact: facts.Probed, now: float) -> bool:
    one = entry.instances.get(fact.number)
    if one is None or one.gone:
        return False
    entry.failures[fact.number] = fact.failure
    changed = health.after_failure(one, fact.failure.rule)
    entry.instances[fact.number] = changed
    if changed.state is InstanceState.FAILED and one.state is not InstanceState.FAILED:
        crashed(entry, one, fact.failure.rule, now)
    return True


def _broke(entry: Entry, fact: facts.Broke, now: float) -> bool:
    one = entry.instances.get(fact.number)
    if one is None or one.gone or one.state in (InstanceState.DRAINING, InstanceState.FAILED):
        return False
    entry.failures[fact.number] = fact.failure
    entry.instances[fact.number] = replace(
        one.after(InstanceEvent.BROKEN), admitted=False, withdrawn_at=now, reason=f"failed: {fact.failure.rule}"
    )
    crashed(entry, one, fact.failure.rule, now)
    return True


def _drained(entry: Entry, fact: facts.Drained, now: float) -> bool:
    one = entry.instances.get(fact.number)
    if one is None or one.drained:
        return False
    entry.instances[fact.number] = replace(one, drained=True)
    return True


def _woken(entry: Entry, fact: facts.Woken, now: float) -> bool:
    vitals = entry.deployment.vitals
    shape = entry.deployment.shape
    if shape is None or shape.instances or vitals.awake or now < vitals.next_start_at:
        return False
    entry.set(vitals=replace(vitals, awake=True, active_at=now))
    return True


def _active(entry: Entry, fact: facts.Active, now: float) -> bool:
    entry.set(vitals=replace(entry.deployment.vitals, active_at=now))
    for number, count in fact.in_flight.items():
        one = entry.instances.get(number)
        if one is not None:
            entry.instances[number] = replace(one, in_flight=count)
    return True


def _tick(entry: Entry, fact: facts.Tick, now: float) -> bool:
    return True


CHANGES: dict[type[facts.Fact], Callable[..., bool]] = {
    facts.Spawned: _spawned,
    facts.SpawnFailed: _spawn_failed,
    facts.Exited: _exited,
    facts.Passed: _passed,
    facts.Probed: _probed,
    facts.Broke: _broke,
    facts.Drained: _drained,
    facts.Woken: _woken,
    facts.Active: _active,
    facts.Tick: _tick,
}
