"""The one decision about a deployment: given what is and what should be, which steps now?

Level-triggered: the same view always gives the same steps, so a lost fact, a restart of control or a killed worker
costs nothing but another look. `wake_at` tells when time alone would change the answer.
"""

from collections.abc import Iterator

from tako_modules.model.instance import Instance, InstanceState

from . import rollout, steady
from .steps import Forget, Kill, Step, Terminate
from .view import View

__all__ = ["DRAIN_SECONDS", "TERM_SECONDS", "steps", "wake_at"]

DRAIN_SECONDS = 30.0  # requests of a withdrawn instance may run this long
TERM_SECONDS = 10.0  # from SIGTERM to SIGKILL


def steps(view: View) -> list[Step]:
    """Tell what to do now; empty when all is as it should be or something is still awaited."""
    ending = [step for one in view.instances if (step := _ending(one, view)) is not None]
    changing = rollout.steps(view) if view.deployment.rollout else steady.steps(view)
    return [*ending, *changing]


def _ending(one: Instance, view: View) -> Step | None:
    if one.gone:
        return None if view.deployment.rollout else Forget(one.number)
    if one.state is InstanceState.FAILED:
        return None if one.killed else Kill(one.number)
    if one.state is not InstanceState.DRAINING or one.killed:
        return None
    if one.terminated_at is None:
        return Terminate(one.number) if _drained(one, view.now) else None
    return Kill(one.number) if view.now >= one.terminated_at + TERM_SECONDS else None


def _drained(one: Instance, now: float) -> bool:
    return one.drained or (one.withdrawn_at is not None and now >= one.withdrawn_at + DRAIN_SECONDS)


def wake_at(view: View) -> float | None:
    """Tell the next moment (monotonic seconds) at which time alone brings a step, None for never."""
    later = [when for when in _moments(view) if when > view.now]
    return min(later, default=None)


def _moments(view: View) -> Iterator[float]:
    for one in view.living:
        if one.state is InstanceState.DRAINING and one.terminated_at is None and one.withdrawn_at is not None:
            yield one.withdrawn_at + DRAIN_SECONDS
        if one.terminated_at is not None:
            yield one.terminated_at + TERM_SECONDS
    yield from rollout.moments(view) if view.deployment.rollout else steady.moments(view)
