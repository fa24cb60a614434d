"""Replacing instances without losing a request: start first, one at a time, and back again when it fails.

Forward: spawn → healthy → stability window → admit → retire one old, until all new ones have traffic (commit); then the
rest of the old ones go. Undoing: what is missing of the version before comes back first, then the new ones go; capacity
never drops below what serves. A rollout ends when no instance that it replaced or gave up is alive.
"""

from collections.abc import Iterator

from tako_modules.model.deployment import Kind, Outcome, Rollout, Shape
from tako_modules.model.instance import Instance, InstanceState

from . import steady
from .steps import Admit, Commit, Finish, Retire, Spawn, Step, Undo
from .view import View, admitted

__all__ = ["UNDO_SECONDS", "cancellable", "moments", "needed", "steps", "tries"]

_ENDING = (InstanceState.DRAINING, InstanceState.FAILED)
_KEEPS = (Kind.SCALE, Kind.START)  # what runs already is what they want, and counts
UNDO_SECONDS = 60.0  # undoing may take this long beyond the deadline; then the steady state takes over


def needed(shape: Shape) -> int:
    """Tell how many instances a rollout must bring up: an on-demand shape is validated by one."""
    return max(1, shape.instances)


def cancellable(rollout: Rollout) -> bool:
    """Tell whether it can still be stopped: not once the last instance has been admitted."""
    return not rollout.committed and not rollout.undoing


def tries(rollout: Rollout, one: Instance) -> bool:
    """Tell whether an instance is one that the rollout tries out, so that its end is the rollout's to answer."""
    return not rollout.committed and not rollout.undoing and _brought(one, rollout)


def steps(view: View) -> list[Step]:
    """Tell what the running rollout needs now."""
    rollout = view.deployment.rollout
    if rollout is None:
        return []
    if rollout.undoing:
        return _undo(view, rollout)
    return _finish(view, rollout) if rollout.committed else _forward(view, rollout)


def _forward(view: View, rollout: Rollout) -> list[Step]:
    failed = (one for one in view.instances if one.state is InstanceState.FAILED)
    broken = next((one for one in failed if _brought(one, rollout)), None)
    if broken is not None:
        return [Undo(f"instance {broken.number} {broken.reason}")]
    if view.now >= rollout.deadline:
        return [Undo("the rollout took longer than its deadline")]
    new = [one for one in view.active if _new(one, rollout)]
    serving, want = admitted(new), needed(rollout.after)
    if len(serving) >= want:
        return [Commit()]
    found: list[Step] = [*steady.late(view)]
    found += [Admit(one.number) for one in new if _settled(one, rollout)]
    waiting = len(new) - len(serving)
    missing = want - len(new)
    if missing > 0 and (rollout.parallel or waiting == 0):
        found += [Spawn(rollout.after.version)] * (missing if rollout.parallel else 1)
    old = [one for one in view.active if not _new(one, rollout)]
    keep = max(0, (needed(rollout.before) if rollout.before else 0) - len(serving))
    going = steady.surplus(old, keep)
    found += [Retire(one.number) for one in going]
    return [*found, *_upheld(view, rollout, serving, [one for one in old if one not in going])]


def _upheld(view: View, rollout: Rollout, serving: list[Instance], old: list[Instance]) -> Iterator[Step]:
    """What serves until now is admitted, woken and replaced as ever: the new version may never come up."""
    before = rollout.before
    if before is None or before.version == rollout.after.version:
        return
    yield from (Admit(one.number) for one in old if steady.ready(one))
    if view.now >= view.deployment.vitals.next_start_at:
        yield from [Spawn(before.version)] * (steady.target(view.deployment) - len(serving) - len(old))


def _finish(view: View, rollout: Rollout) -> list[Step]:
    """Commit has made the new shape the wanted one: the rest of the old ones go, and what is too much."""
    stale = [one for one in view.active if not _new(one, rollout)]
    if stale:
        return [Retire(one.number) for one in stale]
    found = steady.steps(view)
    if found or any(one.state in _ENDING for one in view.living):
        return found
    return [Finish(Outcome.SUCCESS)]


def _undo(view: View, rollout: Rollout) -> list[Step]:
    outcome = Outcome.CANCELLED if rollout.outcome is Outcome.CANCELLED else Outcome.FAILED
    before = rollout.before
    want = steady.target(view.deployment) if before else 0
    kept = [one for one in view.active if want and before and one.version == before.version]
    given_up = [one for one in view.active if one not in kept]
    found: list[Step] = [Admit(one.number) for one in kept if one.state is InstanceState.HEALTHY and not one.admitted]
    begins = view.deployment.vitals.next_start_at
    if before and len(kept) < want and begins <= view.now < rollout.deadline:
        found += [Spawn(before.version)] * (want - len(kept))
    restored = len(admitted(kept)) >= want or view.now >= rollout.deadline + UNDO_SECONDS
    found += [Retire(one.number) for one in given_up if restored or not one.admitted]
    found += steady.late(view)
    ended = not [one for one in view.living if one not in kept]
    if not found and restored and ended:
        return [Finish(outcome)]
    return found


def _brought(one: Instance, rollout: Rollout) -> bool:
    return one.number >= rollout.first_number and one.version == rollout.after.version


def _new(one: Instance, rollout: Rollout) -> bool:
    """Tell whether an instance is one that the rollout wants."""
    return _brought(one, rollout) or (rollout.kind in _KEEPS and one.version == rollout.after.version)


def _settled(one: Instance, rollout: Rollout) -> bool:
    """Tell whether it has been healthy for its window, by a probe that passed at the end of it."""
    if not steady.ready(one) or one.healthy_at is None or one.passed_at is None or one.failures:
        return False
    return one.passed_at >= one.healthy_at + rollout.window


def moments(view: View) -> Iterator[float]:
    """Tell the moments at which time alone brings a step."""
    rollout = view.deployment.rollout
    if rollout is None:
        return
    yield rollout.deadline
    yield rollout.deadline + UNDO_SECONDS
    yield from steady.moments(view)
