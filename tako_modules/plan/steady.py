"""Keeping a deployment as it should be while nothing is being rolled out."""

from collections.abc import Iterator

from tako_modules.model.deployment import Deployment, Shape
from tako_modules.model.instance import Instance, InstanceState

from .steps import Admit, Break, Retire, Sleep, Spawn, Step
from .view import View, admitted

__all__ = ["DEFAULT_TIMEOUT", "late", "moments", "ready", "steps", "surplus", "target"]

DEFAULT_TIMEOUT = 30.0  # seconds until a new instance must be healthy, where its release does not say


def target(deployment: Deployment) -> int:
    """Tell how many instances there should be now."""
    if deployment.stopped or deployment.shape is None:
        return 0
    return deployment.shape.instances or int(deployment.vitals.awake)


def steps(view: View) -> list[Step]:
    """Replace what ended, admit what is healthy, retire what is too much, and sleep when idle."""
    deployment, want = view.deployment, target(view.deployment)
    if deployment.shape is None:
        return [Retire(one.number) for one in view.active]
    mine = [one for one in view.active if one.version == deployment.shape.version]
    found: list[Step] = [*late(view), *(Admit(one.number) for one in mine if ready(one))]
    if len(mine) < want and view.now >= deployment.vitals.next_start_at:
        found += [Spawn(deployment.shape.version)] * (want - len(mine))
    found += [Retire(one.number) for one in surplus(mine, want)]
    if want == 0 or admitted(mine):
        found += [Retire(one.number) for one in view.active if one.version != deployment.shape.version]
    if _idle(view, deployment.shape, mine):
        found.append(Sleep())
    return found


def late(view: View) -> list[Step]:
    """Break those that did not become healthy in time."""
    return [
        Break(one.number, f"not healthy within {_timeout(view, one):.0f} s")
        for one in view.active
        if one.state is InstanceState.STARTING and view.now >= one.spawned_at + _timeout(view, one)
    ]


def _timeout(view: View, one: Instance) -> float:
    return view.timeouts.get(one.version, DEFAULT_TIMEOUT)


def ready(one: Instance) -> bool:
    """Tell whether it is healthy and has no traffic yet."""
    return one.state is InstanceState.HEALTHY and not one.admitted


def surplus(mine: list[Instance], want: int) -> list[Instance]:
    """Pick the newest of the least useful: those without traffic go first."""
    useful = sorted(mine, key=lambda one: (not one.admitted, one.state is not InstanceState.HEALTHY, one.number))
    return useful[want:]


def _idle(view: View, shape: Shape, mine: list[Instance]) -> bool:
    vitals = view.deployment.vitals
    return (
        shape.instances == 0
        and vitals.awake
        and bool(admitted(mine))
        and all(one.in_flight == 0 for one in mine)
        and view.now >= vitals.active_at + shape.idle_timeout
    )


def moments(view: View) -> Iterator[float]:
    """Tell the moments at which time alone brings a step."""
    deployment = view.deployment
    yield deployment.vitals.next_start_at
    if deployment.shape is not None and deployment.shape.instances == 0:
        yield deployment.vitals.active_at + deployment.shape.idle_timeout
    for one in view.active:
        if one.state is InstanceState.STARTING:
            yield one.spawned_at + _timeout(view, one)
