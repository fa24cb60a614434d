"""What is written comes before what is believed."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tako_modules.base.errors import TakoError
from tako_modules.model.deployment import Counters, Deployment, Kind, Outcome, Shape
from tako_modules.model.instance import Instance
from tako_modules.model.release import Release
from tako_modules.server.inbox import Inbox
from tako_modules.server.ledger import Ledger
from tako_modules.server.registry import Entry, Registry
from tako_modules.server.rollouts import Rollouts, Wish
from tako_modules.store import apps
from tako_modules.store.db import Store
from tests.kit.clock import ManualClock

from .test_inbox import Hands

SHAPE = Shape(version="v", routes=("shop.example.com",))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Store]:
    made = Store.open(tmp_path / "state.sqlite3")
    yield made
    made.close()


@pytest.fixture
def ledger(db: Store) -> Ledger:
    return Ledger(db, ManualClock(), rootless=True, port_offset=0)


@pytest.fixture
def entry(ledger: Ledger) -> Entry:
    made = Entry(Deployment(app="shop", shape=SHAPE))
    ledger.save_deployment(made.deployment)
    return made


async def nobody(app: str, number: int) -> tuple[str, ...]:
    """Give an instance's last words: none."""
    return ()


def refuse_writes(db: Store) -> None:
    """Make the store like one that takes nothing any more."""
    db.execute("PRAGMA query_only = 1")


def test_a_change_that_is_refused_has_not_happened(db: Store, ledger: Ledger, entry: Entry) -> None:
    refuse_writes(db)
    with pytest.raises(TakoError):
        ledger.change(entry, msgspec.structs.replace(entry.deployment, stopped=True))
    assert not entry.deployment.stopped


def test_a_commit_that_is_refused_has_not_happened(db: Store, ledger: Ledger, entry: Entry) -> None:
    ledger.save_release(entry, Release(app="shop", version="v", created_at=1.0, size=1, sha256="0" * 64))
    before, stopped = entry.deployment, Deployment(app="shop", shape=SHAPE, stopped=True)
    refuse_writes(db)
    with pytest.raises(TakoError):
        ledger.commit(entry, stopped)
    assert (entry.deployment, entry.releases["v"].served) == (before, False)
    db.execute("PRAGMA query_only = 0")
    ledger.commit(entry, stopped)
    assert (entry.deployment, entry.releases["v"].served) == (stopped, True)


def test_counters_that_cannot_be_written_wait(db: Store, ledger: Ledger) -> None:
    refuse_writes(db)
    ledger.keep_counters({("", "shop", "v"): Counters(started=1)})
    db.execute("PRAGMA query_only = 0")
    ledger.keep_counters({("", "shop", "v"): Counters(started=1)})


def test_what_settles_is_written_once_there_is_room(db: Store, ledger: Ledger, entry: Entry) -> None:
    entry.instances[1] = Instance(app="shop", number=1, version="v", port=20001)
    refuse_writes(db)
    with pytest.raises(TakoError):
        ledger.save_changes(entry)
    db.execute("PRAGMA query_only = 0")
    ledger.save_changes(entry)
    assert db.execute("SELECT count(*) AS found FROM instances") == [{"found": 1}]


async def test_history_keeps_its_order_when_the_clock_is_set_back(db: Store) -> None:
    clock = ManualClock()
    ledger = Ledger(db, clock, rootless=True, port_offset=0)
    registry = Registry()
    entry = registry.add(Deployment(app="shop", shape=SHAPE))
    rollouts = Rollouts(Inbox(registry, Hands(), clock), ledger, clock, nobody)
    for version in ("a", "b", "c"):
        shape = Shape(version=version, routes=SHAPE.routes)
        watch = rollouts.begin(entry, Wish(kind=Kind.DEPLOY, after=shape), {})
        ended = msgspec.structs.replace(watch.rollout, outcome=Outcome.SUCCESS)
        entry.set(rollout=None, last=ended)
        ledger.finish(entry, ended)
        clock.jump(-3600)
    assert [one.after.version for one in ledger.history("shop")] == ["c", "b", "a"]
    assert apps.load_all(db)[0].last == ended
