"""What control keeps in the store, in the words of its own rooms; one writer, and every write is whole."""

import grp
import pwd
from collections.abc import Mapping

import msgspec

from tako_modules.base import log
from tako_modules.base.clock import Clock
from tako_modules.base.errors import Refused, TakoError
from tako_modules.model.deployment import Counters, Deployment, Outcome, Rollout, Vitals
from tako_modules.model.instance import Instance
from tako_modules.model.release import Release
from tako_modules.store import apps, counters, instances, leases, ports, releases, rollouts, server
from tako_modules.store.db import DiskFull, Store
from tako_modules.supervisor import port_range
from tako_modules.supervisor import ports as listening

from .registry import Entry

__all__ = ["Ledger"]


class Ledger:
    """The store as control uses it; releases and histories are read when they are asked for."""

    def __init__(self, db: Store, clock: Clock, *, rootless: bool, port_offset: int) -> None:
        self._db = db
        self._clock = clock
        self._rootless = rootless
        self._port_offset = port_offset
        self._unwritten: set[int] = set()  # ports given out while the disk was full

    def next_fence(self, app: str) -> int:
        """Give a lease's number."""
        return leases.next_fence(self._db, app)

    def uid(self, app: str) -> int | None:
        """Give the uid of a deployment's user, and gid of its group, None on a rootless server."""
        if self._rootless:
            return None
        taken = {user.pw_uid for user in pwd.getpwall()} | {group.gr_gid for group in grp.getgrall()}
        return server.take_uid(self._db, app, taken)

    def save_deployment(self, deployment: Deployment) -> None:
        """Write a deployment with its rollouts."""
        apps.save(self._db, deployment)

    def change(self, entry: Entry, changed: Deployment) -> None:
        """Replace a deployment, on the disk first: what a full disk refuses has not happened."""
        apps.save(self._db, changed)
        entry.deployment = changed

    def save_changes(self, entry: Entry) -> None:
        """Write what has changed of a deployment and its instances since the last time, whole or not at all."""
        deployment, kept = entry.saved
        lasting = {number: _lasting(one) for number, one in entry.instances.items()}
        same = deployment is not None and _durable(deployment) == _durable(entry.deployment)
        if same and lasting == kept:
            return
        with self._db.transaction():
            if not same:
                apps.save(self._db, entry.deployment)
            for number, one in lasting.items():
                if kept.get(number) != one:
                    instances.save(self._db, one)
        entry.saved = (entry.deployment, lasting)

    def take_port(self, app: str, number: int) -> int:
        """Choose a free port for an instance and write it down."""
        known = ports.load(self._db, self._clock.monotonic())
        foreign = {row.port for row in listening.listeners()}
        taken = known.held | known.cooling | foreign | self._unwritten
        port = port_range.choose(taken, newest=known.newest, offset=self._port_offset)
        try:
            ports.take(self._db, port, app, number)
        except DiskFull as problem:  # an app that has crashed comes back all the same; a crash of control forgets it
            self._unwritten.add(port)
            log.event("port.unwritten", app=app, port=port, message=problem.message)
        return port

    def remove_instance(self, one: Instance) -> None:
        """Forget an instance; its port cools down."""
        with self._db.transaction():
            ports.release(self._db, one.app, one.number, self._clock.monotonic())
            instances.remove(self._db, one.app, one.number)
        self._unwritten.discard(one.port)

    def commit(self, entry: Entry, committed: Deployment) -> None:
        """Bring a rollout's new shape in force, and note that its release has served; raises TakoError before that."""
        release = entry.releases.get(committed.shape.version) if committed.shape else None
        with self._db.transaction():
            apps.save(self._db, committed)
            if release is not None:
                release = msgspec.structs.replace(release, served=True)
                releases.save(self._db, release)
        entry.deployment = committed
        if release is not None:
            entry.releases[release.version] = release

    def finish(self, entry: Entry, ended: Rollout) -> None:
        """Write down how a rollout ended."""
        with self._db.transaction():
            apps.save(self._db, entry.deployment)
            rollouts.save(self._db, ended)
            rollouts.trim(self._db, entry.app)

    def save_release(self, entry: Entry, release: Release) -> None:
        """Write a release and remember it."""
        releases.save(self._db, release)
        entry.releases[release.version] = release

    def remove_release(self, entry: Entry, version: str) -> None:
        """Forget a release."""
        releases.remove(self._db, entry.app, version)
        entry.releases.pop(version, None)

    def remove_app(self, app: str, *, files_left: bool) -> None:
        """Forget a deployment; its uid is kept from others while files of it exist."""
        with self._db.transaction():
            ports.release_app(self._db, app, self._clock.monotonic())
            apps.remove(self._db, app)
            if not files_left:
                server.give_uid(self._db, app)

    def keep_counters(self, counts: Mapping[counters.Key, Counters]) -> None:
        """Write the requests that were counted; on a full disk they wait in memory until there is room."""
        try:
            counters.save_all(self._db, counts)
        except TakoError as problem:
            log.event("counters.unwritten", message=problem.message)

    def history(self, app: str) -> list[Rollout]:
        """Give the rollouts of a deployment, newest first."""
        return rollouts.load(self._db, app)

    def good_rollouts(self, app: str) -> list[Rollout]:
        """Give the rollouts that ended well, newest first."""
        return [one for one in self.history(app) if one.outcome is Outcome.SUCCESS]

    def last_failure(self, app: str) -> Rollout | None:
        """Give the last rollout if it did not end well."""
        ended = [one for one in self.history(app) if one.outcome is not Outcome.IN_PROGRESS]
        return ended[0] if ended and ended[0].outcome is not Outcome.SUCCESS else None


def _lasting(one: Instance) -> Instance:
    """Leave out what only matters to the control that knows it: it changes often and is learned anew."""
    return msgspec.structs.replace(one, in_flight=0, failures=0, passed_at=None, withdrawn_generation=None)


def _durable(deployment: Deployment) -> Deployment:
    return msgspec.structs.replace(deployment, vitals=Vitals())


def release_of(entry: Entry, version: str) -> Release:
    """Find a release of a deployment; raises Refused."""
    found = entry.releases.get(version)
    if found is None:
        raise Refused(
            f"{version} of {entry.app} is not on this server", code="not_found", hint="run `tako deploy` again"
        )
    return found
