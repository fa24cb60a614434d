"""Restoring what was deployed when control starts: rows of the store matched with the processes that init holds."""

import msgspec

from tako_modules.model.deployment import Vitals
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.store import apps, counters, instances, releases
from tako_modules.store.db import Store

from .control import Control
from .doorway import Found
from .registry import Entry, Watch

__all__ = ["COUNTER_SECONDS", "keep_counters", "restore"]

COUNTER_SECONDS = 10.0  # between writes of the counters: a kill -9 of control and of a worker at once loses that much


def restore(control: Control, db: Store, found: Found, *, rebooted: bool) -> None:
    """Fill the registry; an instance whose process is gone ends here, those that live keep their state."""
    control.feeds.tally.restore(counters.load_all(db))
    control.feeds.tally.retire_others({one.key for one in control.feeds})
    for deployment in apps.load_all(db):
        entry = control.registry.add(deployment)
        awake = deployment.shape is not None and deployment.shape.instances == 0
        entry.set(vitals=Vitals(awake=awake, active_at=control.clock.monotonic()))
        if deployment.rollout is not None:
            entry.watch = Watch(deployment.rollout, control.counters_by_version(entry.app))
    for release in releases.load_all(db):
        entry_of = control.registry.get(release.app)
        if entry_of is not None:
            entry_of.releases[release.version] = release
    for one in instances.load_all(db):
        owner = control.registry.get(one.app)
        if owner is not None:
            _restore_instance(control, owner, one, found, rebooted=rebooted)
    for entry in control.registry:
        _wake(entry)


def _restore_instance(control: Control, entry: Entry, one: Instance, found: Found, *, rebooted: bool) -> None:
    child, _ = found.instances.get(one.id, (None, 0))
    died = any(exited.id == one.id for exited, _, _ in found.exits)
    same = child is not None and (one.birth is None or one.birth == child.start)
    if rebooted or not (same or died):
        control.ledger.remove_instance(one)
        return
    entry.instances[one.number] = msgspec.structs.replace(one, withdrawn_generation=None, in_flight=0, failures=0)


def _wake(entry: Entry) -> None:
    """An on-demand deployment is awake only where an instance of it lives."""
    shape = entry.deployment.shape
    if shape is not None and shape.instances == 0:
        living = any(one.state is not InstanceState.DRAINING for one in entry.instances.values())
        entry.set(vitals=msgspec.structs.replace(entry.deployment.vitals, awake=living))


async def keep_counters(control: Control, db: Store) -> None:
    """Write the counters down now and then, until cancelled."""
    while True:
        await control.clock.sleep(COUNTER_SECONDS)
        counters.save_all(db, control.feeds.tally.export())
