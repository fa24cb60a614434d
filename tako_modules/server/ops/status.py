"""status: how one deployment is doing."""

from tako_modules.base.clock import utc_text
from tako_modules.mgmt.server import Call
from tako_modules.model.deployment import Counters, Rollout
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.protocol.messages import Status
from tako_modules.protocol.replies import BuildData, DeploymentData, InstanceData, StatusData

from ..control import Control
from ..registry import Entry

__all__ = ["answer", "build_state"]


async def answer(request: Status, call: Call, control: Control) -> StatusData:
    """Describe a deployment that exists."""
    entry = control.entry(request.app)
    await control.feeds.refresh()
    deployment, by_version = entry.deployment, control.counters_by_version(request.app)
    instances = [_instance(one, control) for one in _living(entry)]
    living = {one.version for one in instances} | ({deployment.shape.version} if deployment.shape else set())
    versions = sorted(living, key=lambda version: _order(entry, version))
    serving = next(iter(control.ledger.good_rollouts(request.app)), None)
    failure = control.ledger.last_failure(request.app)
    shape = deployment.shape
    return StatusData(
        name=request.app,
        version=shape.version if shape else "",
        state=entry.state,
        routes=entry.routes,
        instances=tuple(instances),
        builds=tuple(_build(version, instances, by_version.get(version, Counters())) for version in versions),
        instances_wanted=shape.instances if shape else 0,
        idle_timeout=shape.idle_timeout if shape else 0,
        last_error=deployment.vitals.reason,
        requests=control.counters(request.app),
        deployment=_deployment(serving) if serving else None,
        last_failure=_deployment(failure) if failure else None,
    )


def _living(entry: Entry) -> list[Instance]:
    return sorted((one for one in entry.instances.values() if not one.gone), key=lambda one: one.number)


def _order(entry: Entry, version: str) -> tuple[bool, str]:
    shape = entry.deployment.shape
    return (shape is None or version != shape.version, version)


def _instance(one: Instance, control: Control) -> InstanceData:
    return InstanceData(
        id=one.number,
        state=one.state,
        port=one.port,
        pid=one.pid,
        uptime_secs=round(control.clock.monotonic() - one.spawned_at, 1),
        in_flight=control.feeds.in_flight(one.id),
        version=one.version,
        warning=one.warning,
    )


def build_state(states: list[str]) -> str:
    """Say one word for the instances of a version."""
    if InstanceState.HEALTHY in states:
        return "running"
    if InstanceState.STARTING in states or InstanceState.DRAINING in states:
        return "deploying"
    return "error" if InstanceState.UNHEALTHY in states or InstanceState.FAILED in states else "stopped"


def _build(version: str, instances: list[InstanceData], requests: Counters) -> BuildData:
    mine = tuple(one for one in instances if one.version == version)
    return BuildData(version=version, state=build_state([one.state for one in mine]), instances=mine, requests=requests)


def _deployment(rollout: Rollout) -> DeploymentData:
    return DeploymentData(
        id=rollout.id,
        kind=rollout.kind,
        version=rollout.after.version,
        outcome=rollout.outcome,
        started_at=utc_text(rollout.started_at),
        finished_at=utc_text(rollout.finished_at) if rollout.finished_at else "",
        reason=rollout.reason,
        note=rollout.note,
    )
