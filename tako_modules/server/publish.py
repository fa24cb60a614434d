"""From the registry to the data plane: whole snapshots with growing generations."""

from collections.abc import Callable, Iterable

import msgspec

from tako_modules.model import snapshot as feed
from tako_modules.model.deployment import AppState
from tako_modules.model.instance import Instance, InstanceState

from .feeds import Feeds
from .link import Link
from .registry import Entry, Registry

__all__ = ["HOLD_BYTES", "HOLD_SECONDS", "HOLD_WAITING", "Publisher", "app_traffic"]

HOLD_WAITING = 1000  # requests of one app that may wait for an instance, over all workers
HOLD_BYTES = 64 << 20  # bytes that they may take
HOLD_SECONDS = 30.0  # seconds that each may wait


def app_traffic(entry: Entry, now: float, workers: int) -> feed.AppTraffic:
    """Tell the data plane about one deployment."""
    deployment = entry.deployment
    shape = deployment.shape or (deployment.rollout.after if deployment.rollout else None)
    failing = entry.state is AppState.ERROR and now < deployment.vitals.next_start_at
    held = not deployment.stopped and not failing
    return feed.AppTraffic(
        id=entry.app,
        version=shape.version if shape else "",
        routes=entry.routes,
        asleep=held and shape is not None and shape.instances == 0 and not entry.serving,
        hold=_hold(workers) if held else None,
        error=deployment.vitals.reason if failing else "",
        instances=tuple(
            feed.InstanceAddress(id=one.id, port=one.port, version=one.version)
            for one in sorted(entry.serving, key=lambda one: one.number)
        ),
    )


def _hold(workers: int) -> feed.Hold:
    share = max(1, workers)
    return feed.Hold(waiting=max(1, HOLD_WAITING // share), bytes=HOLD_BYTES // share, seconds=HOLD_SECONDS)


def _healthy(registry: Registry) -> bool:
    """Tell whether the server does its work: where apps should run, one of them does, or sleeps until it is asked."""
    wanted = [one for one in registry if one.deployment.shape is not None and not one.deployment.stopped]
    return not wanted or any(one.serving or one.state is AppState.IDLE for one in wanted)


class Publisher:
    """Builds snapshots and remembers which generation let go of which instance."""

    def __init__(self, registry: Registry, feeds: Feeds, link: Link, *, epoch: int, https_port: int) -> None:
        self._registry = registry
        self._feeds = feeds
        self._link = link
        self._epoch = epoch
        self._https_port = https_port
        self._generation = 0
        self._apps: tuple[feed.AppTraffic, ...] | None = None
        self._healthy = True
        self.workers = 1
        self.started_at = 0.0
        self.certificates: tuple[feed.Certificate, ...] | None = None  # None: not known yet
        self.challenges: dict[str, str] = {}

    def publish(self, now: float, *, force: bool = False) -> None:
        """Send a snapshot when anything in it is new; marks the instances that it no longer names.

        Before the certificates are known nothing is sent: workers still have an earlier control's snapshot, and one
        without certificates would refuse everybody.
        """
        if self.certificates is None:
            return
        apps = tuple(
            app_traffic(entry, now, self.workers)
            for entry in sorted(self._registry, key=lambda entry: entry.app)
            if entry.routes and (entry.deployment.shape is not None or entry.serving)
        )
        healthy = _healthy(self._registry)
        new = force or (apps, healthy) != (self._apps, self._healthy)
        if new:
            self._apps, self._healthy = apps, healthy
            self._generation += 1
            self._send(apps, self.certificates)
        if self._mark_withdrawn() and not new:  # the workers apply a new one, and that is when they are asked
            self._feeds.look_again()

    async def in_force(self) -> None:
        """Wait until every worker works by the newest snapshot."""
        await self._feeds.applied(self._epoch, self._generation)

    def _send(self, apps: tuple[feed.AppTraffic, ...], certificates: tuple[feed.Certificate, ...]) -> None:
        snapshot = feed.Snapshot(
            epoch=self._epoch,
            generation=self._generation,
            apps=apps,
            certificates=certificates,
            challenges=self.challenges,
            https_port=self._https_port,
            started_at=self.started_at,
            healthy=self._healthy,
        )
        self._link.keep_snapshot(*self._feeds.publish(snapshot))

    def _mark_withdrawn(self) -> bool:
        """Note the generation that no longer names an instance; tells whether there was one to note."""
        marked = False
        for entry in self._registry:
            for one in entry.instances.values():
                if one.withdrawn_at is not None and one.withdrawn_generation is None:
                    entry.instances[one.number] = msgspec.structs.replace(one, withdrawn_generation=self._generation)
                    marked = True
        return marked

    def drained(self, instances: Iterable[Instance]) -> list[Instance]:
        """Pick the withdrawn instances that no worker uses any more."""
        return [
            one
            for one in instances
            if one.state in (InstanceState.DRAINING, InstanceState.FAILED)
            and not one.drained
            and one.withdrawn_generation is not None
            and self._feeds.let_go(one.id, self._epoch, one.withdrawn_generation)
        ]

    def check_drained(self, report: Callable[[Instance], None]) -> None:
        """Report every instance that has just been let go."""
        for entry in list(self._registry):
            for one in self.drained(list(entry.instances.values())):
                report(one)
