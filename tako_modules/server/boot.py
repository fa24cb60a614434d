"""Restoring what was deployed when control starts: rows of the store matched with the processes that init holds."""

from pathlib import Path

import anyio
import msgspec

from tako_modules.base import log
from tako_modules.base.errors import TakoError
from tako_modules.model.deployment import Rollout, Vitals
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.plan import rollout as rollout_plan
from tako_modules.store import apps, counters, instances, ports, releases
from tako_modules.store.db import Store
from tako_modules.supervisor import sessions

from .control import Control
from .doorway import Found
from .registry import Entry, Watch

__all__ = [
    "COUNTER_SECONDS",
    "check_readable",
    "delete_leftovers",
    "keep_counters",
    "put_in_order",
    "restore",
    "resumed",
]

INTERRUPTED = "the server was killed in the middle of it"
REBOOTED_SECONDS = 120.0  # for a rollout that goes on after a reboot: one more start, probes and window
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
    for ident in found.instances:
        _pass_over(control, ident)
    _take_ports_back(control, db)
    for entry in control.registry:
        _wake(entry)
        if entry.deployment.rollout is not None:
            living = any(not one.gone for one in entry.instances.values())
            now = control.clock.monotonic()
            entry.set(rollout=resumed(entry.deployment.rollout, living=living, rebooted=rebooted, now=now))


def _restore_instance(control: Control, entry: Entry, one: Instance, found: Found, *, rebooted: bool) -> None:
    child, _ = found.instances.get(one.id, (None, 0))
    died = any(exited.id == one.id for exited, _, _ in found.exits)
    same = child is not None and (one.birth is None or one.birth == child.start)
    if not (same or died):  # what init holds is of this boot, also where `rebooted` could not be written down before
        if control.host.rootless and not rebooted and one.pid is not None:
            sessions.end_session(one.pid, one.birth)  # under systemd the whole unit has ended with init
        try:
            control.ledger.remove_instance(one)
        except TakoError as problem:  # a full disk: the next start forgets it, its port is held until then
            log.event("instance.unforgotten", id=one.id, message=problem.message)
        return
    entry.instances[one.number] = msgspec.structs.replace(one, withdrawn_generation=None, in_flight=0, failures=0)


def _take_ports_back(control: Control, db: Store) -> None:
    """Free the ports of instances that have no row: a former control was killed before it wrote them down."""
    try:
        ports.release_unused(db, control.clock.monotonic())
    except TakoError as problem:  # a full disk: the next start tries again
        log.event("ports.unreleased", message=problem.message)


def _pass_over(control: Control, ident: str) -> None:
    """Leave the number of an instance that lives and that no row names, because the disk was full, to itself."""
    app, _, number = ident.rpartition("/")
    entry = control.registry.get(app)
    if entry is not None and int(number) not in entry.instances:
        entry.set(next_number=max(entry.deployment.next_number, int(number) + 1))


def _wake(entry: Entry) -> None:
    """An on-demand deployment is awake only where an instance of it lives."""
    shape = entry.deployment.shape
    if shape is not None and shape.instances == 0:
        living = any(one.state is not InstanceState.DRAINING for one in entry.instances.values())
        entry.set(vitals=msgspec.structs.replace(entry.deployment.vitals, awake=living))


def resumed(rollout: Rollout, *, living: bool, rebooted: bool, now: float) -> Rollout:
    """Go on with a rollout, or take it back where no instance lives any more: what served before comes back first.

    now: monotonic seconds.
    """
    replaces = rollout.before is not None and not rollout.committed and not rollout.undoing
    if replaces and not living:
        deadline = now + rollout_plan.UNDO_SECONDS
        return msgspec.structs.replace(rollout, undoing=True, reason=INTERRUPTED, deadline=deadline)
    if rebooted:  # the deadline was a moment of a clock that has begun anew
        return msgspec.structs.replace(rollout, deadline=now + REBOOTED_SECONDS)
    return rollout


def put_in_order(control: Control) -> list[Path]:
    """Mend what a crash left on the disk between two steps: the link `current`, a holder who is shown no more.

    Gives the folders that nobody names: they are out of the way, and can be deleted while control works.
    """
    left: list[Path] = []
    for entry in control.registry:
        control.leases.hide(entry.app)
        try:
            if entry.deployment.shape is not None:
                control.host.set_current(entry.app, entry.deployment.shape.version)
            left += control.host.set_leftovers_aside(entry.app, entry.releases.keys())
        except OSError as problem:
            log.error("boot.order", problem, app=entry.app)
    return left


async def delete_leftovers(control: Control, left: list[Path]) -> None:
    """Delete what `put_in_order` gave."""
    for path in left:
        await anyio.to_thread.run_sync(control.host.remove_tree, path)


def check_readable(db: Store) -> None:
    """Read all that `restore` will read; raises StoreBroken while nothing has been decided yet."""
    for load in (counters.load_all, apps.load_all, releases.load_all, instances.load_all):
        load(db)


async def keep_counters(control: Control) -> None:
    """Write the counters down now and then, until cancelled."""
    while True:
        await control.clock.sleep(COUNTER_SECONDS)
        control.ledger.keep_counters(control.feeds.tally.export())
