"""What control knows of every deployment: one entry each, kept in the store, changed by the inbox alone."""

from collections.abc import Callable, Iterator

import anyio
import msgspec

from tako_modules.model.deployment import AppState, Counters, Deployment, Rollout
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.model.release import Release
from tako_modules.plan.rollout import tries
from tako_modules.plan.view import View
from tako_modules.protocol.replies import FailureData, StepEvent

__all__ = ["Entry", "Registry", "Watch"]


class Watch:
    """Who waits for a rollout: steps as they happen, and its end."""

    def __init__(self, rollout: Rollout, counters: dict[str, Counters]) -> None:
        self.rollout = rollout
        self.counters_before = counters
        self.replaced = 0
        self.admitted: dict[int, tuple[float, float, int, str]] = {}
        self.failure: FailureData | None = None
        self.failed_number: int | None = None
        self.listeners: list[Callable[[StepEvent], None]] = []
        self.ended: Callable[[], None] | None = None

    def say(self, text: str, *, instance: str = "", version: str = "") -> None:
        """Tell everybody who waits what is happening now."""
        for listener in self.listeners:
            listener(StepEvent(text=text, instance=instance, version=version))


class Entry:
    """One deployment: what it should be, its instances, its releases, and why instances failed."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.instances: dict[int, Instance] = {}
        self.releases: dict[str, Release] = {}
        self.failures: dict[int, FailureData] = {}
        self.saved: tuple[Deployment | None, dict[int, Instance]] = (None, {})
        self.watch: Watch | None = None
        self.wake_at: float | None = None
        self.work = anyio.Lock()  # one install or release command at a time, also when a lease was taken over

    @property
    def app(self) -> str:
        """The deployment id."""
        return self.deployment.app

    @property
    def used_versions(self) -> set[str]:
        """The versions that run, should run, or are being rolled out."""
        used = {one.version for one in self.instances.values()}
        if self.deployment.shape is not None:
            used.add(self.deployment.shape.version)
        if self.deployment.rollout is not None:
            used.add(self.deployment.rollout.after.version)
        return used

    def view(self, now: float) -> View:
        """Give the planner what it looks at."""
        timeouts = {
            version: release.recipe.health.timeout
            for version, release in self.releases.items()
            if release.recipe is not None
        }
        return View(deployment=self.deployment, instances=tuple(self.instances.values()), now=now, timeouts=timeouts)

    def set(self, **changes: object) -> None:
        """Replace fields of the deployment."""
        self.deployment = msgspec.structs.replace(self.deployment, **changes)

    def set_rollout(self, **changes: object) -> None:
        """Replace fields of the running rollout."""
        if self.deployment.rollout is not None:
            self.set(rollout=msgspec.structs.replace(self.deployment.rollout, **changes))

    @property
    def serving(self) -> list[Instance]:
        """Instances that the route table names."""
        return [
            one
            for one in self.instances.values()
            if one.admitted and one.state is InstanceState.HEALTHY and not one.gone
        ]

    @property
    def routes(self) -> tuple[str, ...]:
        """The routes in force: of the shape that serves, else of the one that is being rolled out."""
        deployment = self.deployment
        shape = deployment.shape or (deployment.rollout.after if deployment.rollout else None)
        return shape.routes if shape else ()

    @property
    def all_routes(self) -> tuple[str, ...]:
        """The routes that nobody else may take now: those in force, and those of a rollout under way."""
        rollout = self.deployment.rollout
        return (*self.routes, *(rollout.after.routes if rollout else ()))

    def routes_of(self, one: Instance) -> tuple[str, ...]:
        """The routes that an instance answers for: those of the rollout that tries it out, else those in force."""
        rollout = self.deployment.rollout
        return rollout.after.routes if rollout is not None and tries(rollout, one) else self.routes

    @property
    def state(self) -> AppState:
        """One word for how it is doing."""
        deployment = self.deployment
        if deployment.rollout is not None:
            return AppState.DEPLOYING
        if deployment.stopped or deployment.shape is None:
            return AppState.STOPPED
        if self.serving:
            return AppState.RUNNING
        if deployment.vitals.reason and deployment.vitals.crashes:
            return AppState.ERROR
        starting = any(one.state is InstanceState.STARTING for one in self.instances.values())
        return AppState.RUNNING if starting or deployment.shape.instances else AppState.IDLE


class Registry:
    """All deployments of this server by id."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def get(self, app: str) -> Entry | None:
        """Find a deployment."""
        return self._entries.get(app)

    def add(self, deployment: Deployment) -> Entry:
        """Begin to know a deployment."""
        entry = self._entries[deployment.app] = Entry(deployment)
        return entry

    def remove(self, app: str) -> None:
        """Forget a deployment."""
        self._entries.pop(app, None)
