"""Apps and instances as a worker keeps them: the same objects through all snapshots, so nobody holds an old one."""

from collections.abc import Iterator

from tako_modules.model.snapshot import AppTraffic, Hold, InstanceAddress, Snapshot

from .balance import POLICIES
from .context import Context
from .counters import Count
from .hold import Queue
from .instances import Instance
from .limits import FIRST_BYTE_SECONDS, TUNNEL_WITHDRAWN_SECONDS

__all__ = ["App", "Roster"]

_choose = POLICIES["least"]


class App:
    """One deployment: its instances in the newest snapshot, its limits, and who waits for it.

    hold: None when nobody may wait; error: why there can be no instance now; body_bytes: 0 for any size.
    """

    __slots__ = (
        "_turn",
        "body_bytes",
        "count",
        "error",
        "hold",
        "https_only",
        "id",
        "instances",
        "log_name",
        "queue",
    )

    count: Count
    hold: Hold | None
    instances: tuple[Instance, ...]

    def __init__(self, context: Context, traffic: AppTraffic) -> None:
        self.id = traffic.id
        self.log_name = traffic.id.encode()
        self.queue = Queue(context.loop)
        self._turn = 0
        self.update(context, traffic, ())

    def update(self, context: Context, traffic: AppTraffic, instances: tuple[Instance, ...]) -> None:
        """Take over what a snapshot says."""
        self.count = context.counters.of(traffic.id, traffic.version)
        self.https_only = traffic.https_only
        self.hold = traffic.hold
        self.error = traffic.error
        self.body_bytes = traffic.limits.body_bytes
        self.instances = instances
        for instance in instances:
            instance.first_byte = traffic.limits.first_byte_seconds or FIRST_BYTE_SECONDS

    def choose(self, now: float, other_than: Instance | None = None) -> Instance | None:
        """Choose an instance for a request: none that has just refused one, and best not the one that failed it."""
        instances = self.instances
        if len(instances) == 1:
            only = instances[0]
            return only if only.rest_until <= now else None
        ready = [one for one in instances if one.rest_until <= now]
        if not ready:
            return None
        if other_than is not None and len(ready) > 1:
            ready = [one for one in ready if one is not other_than]
        self._turn += 1
        return _choose(ready, self._turn)

    def settle_queue(self) -> None:
        """Let go who waits, or tell them that it is of no use."""
        if self.instances:
            self.queue.pump()
        elif self.error or self.hold is None:
            self.queue.dissolve()


class Roster:
    """All apps of the newest snapshot, and all instances that are named or still have something in flight."""

    __slots__ = ("_context", "_leaving", "apps", "instances")

    def __init__(self, context: Context) -> None:
        self._context = context
        self.apps: dict[str, App] = {}
        self.instances: dict[str, Instance] = {}
        self._leaving: list[Instance] = []

    def apply(self, snapshot: Snapshot) -> list[Instance]:
        """Take over a snapshot; gives the instances that it has withdrawn, which get nothing new from now on."""
        before, gone = self.instances, {**self.apps}
        self.instances = {}
        for traffic in snapshot.apps:
            app = self.apps.get(traffic.id) or App(self._context, traffic)
            self.apps[traffic.id] = app
            gone.pop(traffic.id, None)
            app.update(self._context, traffic, tuple(self._instance(before, traffic, one) for one in traffic.instances))
        for app in gone.values():
            app.instances, app.hold = (), None
            del self.apps[app.id]
            app.queue.dissolve()
        withdrawn = [one for ident, one in before.items() if self.instances.get(ident) is not one]
        for one in withdrawn:
            one.withdraw()
            self._context.loop.call_later(TUNNEL_WITHDRAWN_SECONDS, one.dismiss)
        self._leaving = [one for one in self._leaving + withdrawn if one.withdrawn and one.in_flight]
        return withdrawn

    def _instance(self, before: dict[str, Instance], traffic: AppTraffic, address: InstanceAddress) -> Instance:
        """Find the instance again, also one that was withdrawn and is back, or begin it."""
        key = (address.id, address.host, address.port, address.version)
        for one in (before.get(address.id), *self._leaving):
            if one is not None and (one.id, one.host, one.port, one.version) == key:
                one.withdrawn = False
                break
        else:
            count = self._context.counters.of(traffic.id, address.version)
            one = Instance(self._context, address.id, address.host, address.port, count)
        self.instances[address.id] = one
        return one

    def busy(self) -> Iterator[tuple[str, int]]:
        """Give what every instance has in flight, where it has something."""
        self._leaving = [one for one in self._leaving if one.in_flight]
        for one in (*self.instances.values(), *self._leaving):
            if one.in_flight:
                yield one.id, one.in_flight

    def waiting(self) -> Iterator[App]:
        """Give the apps that requests wait for."""
        return (app for app in self.apps.values() if len(app.queue))
