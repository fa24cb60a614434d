"""Every noun comes back as it was saved."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from tako_modules.base.errors import TakoError
from tako_modules.model.deployment import Counters, Deployment, Kind, Outcome, Rollout, Shape
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.model.release import HealthCheck, Recipe, Release
from tako_modules.store import apps, counters, instances, leases, ports, releases, rollouts, server
from tako_modules.store.db import Store, StoreBroken

SHAPE = Shape(version="v1", routes=("shop.example.com", "*.shop.example.com/api/*"), instances=2, idle_timeout=60)
ROLLOUT = Rollout(
    id="r1",
    app="shop",
    kind=Kind.DEPLOY,
    after=SHAPE,
    before=Shape(version="v0", routes=("a.example.com",)),
    window=0.5,
    parallel=True,
    reason="because",
    note="a note with 'quotes' and \n lines",
    started_at=12.25,
    deadline=99.5,
    first_number=7,
    requested_by="ann@laptop",
)
DEPLOYMENTS = [
    Deployment(app="bare"),
    Deployment(app="shop", uid=60001, shape=SHAPE, next_number=9, rollout=ROLLOUT),
    Deployment(
        app="shop.staging",
        shape=msgspec.structs.replace(SHAPE, routes=()),
        stopped=True,
        last=msgspec.structs.replace(
            ROLLOUT, id="r2", app="shop.staging", before=None, outcome=Outcome.FAILED, finished_at=13.0
        ),
    ),
]


def test_deployments_come_back_whole(db: Store) -> None:
    for deployment in DEPLOYMENTS:
        apps.save(db, deployment)
    assert apps.load_all(db) == DEPLOYMENTS


def test_saving_again_replaces(db: Store) -> None:
    apps.save(db, DEPLOYMENTS[1])
    ended = msgspec.structs.replace(ROLLOUT, outcome=Outcome.SUCCESS, finished_at=20.0)
    later = msgspec.structs.replace(
        DEPLOYMENTS[1], shape=msgspec.structs.replace(SHAPE, routes=("b.example.com",)), rollout=None, last=ended
    )
    apps.save(db, later)
    assert apps.load_all(db) == [later]
    assert rollouts.load(db, "shop") == [ended]


def test_saving_a_deployment_keeps_what_belongs_to_it(db: Store) -> None:
    apps.save(db, Deployment(app="shop"))
    releases.save(db, Release(app="shop", version="v1", created_at=1.0))
    instances.save(db, Instance(app="shop", number=1, version="v1", port=20000))
    apps.save(db, DEPLOYMENTS[1])
    assert len(releases.load_all(db)) == len(instances.load_all(db)) == 1


def test_a_removed_deployment_takes_its_rows_along_but_not_its_fence_uid_and_ports(db: Store) -> None:
    apps.save(db, DEPLOYMENTS[1])
    releases.save(db, Release(app="shop", version="v1", created_at=1.0, env={"A": "1"}))
    instances.save(db, Instance(app="shop", number=1, version="v1", port=20000))
    uid = server.take_uid(db, "shop")
    assert leases.next_fence(db, "shop") == 1
    ports.take(db, 20000, "shop", 1)
    ports.release_app(db, "shop", 5.0)
    apps.remove(db, "shop")
    assert apps.load_all(db) == []
    assert releases.load_all(db) == []
    assert instances.load_all(db) == []
    assert rollouts.load(db, "shop") == []
    assert leases.next_fence(db, "shop") == 2
    assert server.take_uid(db, "shop") == uid
    assert ports.load(db, 6.0).cooling == {20000}


def test_releases_come_back_with_variables_and_recipe(db: Store) -> None:
    apps.save(db, Deployment(app="shop"))
    recipe = Recipe(
        runtime="python",
        tools={"uv": "0.9"},
        install=(("{python}", "-m", "venv", ".venv"),),
        start=("uvicorn", "--port", "{port}"),
        path=(".venv/bin",),
        env={"PYTHONUNBUFFERED": "1"},
        health=HealthCheck(path="/up", timeout=12.5),
    )
    odd = {"EMPTY": "", "NUL": "a\0b", "QUOTES": "'\"$`\\", "LINES": "a\nb\r\n", "UTF": "naïve ☃ 𝄞"}
    first = Release(app="shop", version="v1", created_at=1.5, env=odd, recipe=recipe, size=7, prepared=True)
    second = Release(app="shop", version="v0", created_at=0.5, served=True)
    releases.save(db, first)
    releases.save(db, second)
    assert releases.load_all(db) == [second, first]
    changed = msgspec.structs.replace(first, env={"ONLY": "1"}, served=True)
    releases.save(db, changed)
    releases.remove(db, "shop", "v0")
    assert releases.load_all(db) == [changed]


def test_instances_come_back_whole(db: Store) -> None:
    apps.save(db, Deployment(app="shop"))
    plain = Instance(app="shop", number=1, version="v1", port=20000)
    full = Instance(
        app="shop",
        number=2,
        version="v2",
        port=20001,
        state=InstanceState.DRAINING,
        pid=77,
        birth=123456,
        spawned_at=1.5,
        healthy_at=2.5,
        admitted=True,
        withdrawn_at=3.5,
        withdrawn_generation=4,
        drained=True,
        terminated_at=5.5,
        killed=True,
        gone=True,
        failures=3,
        in_flight=2,
        reason="why",
        warning="listens on all addresses",
    )
    instances.save(db, plain)
    instances.save(db, full)
    assert instances.load_all(db) == [plain, full]
    instances.remove(db, "shop", 1)
    assert instances.load_all(db) == [full]


def test_a_row_needs_its_deployment(db: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        instances.save(db, Instance(app="nobody", number=1, version="v1", port=20000))


def test_history_is_newest_first_and_trimmed(db: Store) -> None:
    apps.save(db, Deployment(app="shop"))
    for number in range(6):
        rollouts.save(db, msgspec.structs.replace(ROLLOUT, id=f"r{number}", started_at=float(number)))
    assert [one.id for one in rollouts.load(db, "shop", 2)] == ["r5", "r4"]
    rollouts.trim(db, "shop", 3)
    assert [one.id for one in rollouts.load(db, "shop")] == ["r5", "r4", "r3"]


def test_fences_only_grow_per_deployment(db: Store) -> None:
    assert [leases.next_fence(db, app) for app in ("shop", "shop", "blog", "shop")] == [1, 2, 1, 3]
    assert leases.load_all(db) == {"shop": 3, "blog": 1}


def test_ports_are_held_then_cool_then_free(db: Store) -> None:
    ports.take(db, 20000, "shop", 1)
    ports.take(db, 20001, "shop", 2)
    assert ports.load(db, 0.0) == ports.Ports(held=frozenset({20000, 20001}), newest=20001)
    ports.release(db, "shop", 1, 100.0)
    assert ports.load(db, 159.9) == ports.Ports(held=frozenset({20001}), cooling=frozenset({20000}), newest=20001)
    assert ports.load(db, 160.0).cooling == frozenset()
    assert ports.load(db, 5.0).cooling == frozenset(), "released before the machine booted"
    ports.release(db, "shop", 2, 300.0)
    assert ports.load(db, 301.0).cooling == frozenset({20001})
    assert len(db.execute("SELECT * FROM ports")) == 1


def test_counters_come_back(db: Store) -> None:
    first = {("", "shop", "v1"): Counters(started=5, finished=4, failed=1, bytes_out=1 << 40, longest_wait=7)}
    counters.save_all(db, {**first, ("9.1", "shop", "v1"): Counters(started=1)})
    counters.save_all(db, first)
    assert counters.load_all(db) == first


def test_each_start_has_its_epoch_and_knows_of_a_boot(db: Store) -> None:
    begun = [server.begin(db, boot, 0.0) for boot in ("a", "a", "b")]
    assert [(one.epoch, one.rebooted) for one in begun] == [(1, False), (2, False), (3, True)]


def test_an_epoch_that_could_not_be_written_is_not_given_twice(db: Store) -> None:
    assert server.begin(db, "a", 500.0).epoch == 50_000
    assert server.begin(db, "a", 500.001).epoch == 50_001
    assert server.begin(db, "b", 3.0).epoch == 50_002


def test_a_uid_stays_with_its_deployment_until_given_back(db: Store) -> None:
    first = server.take_uid(db, "shop")
    assert first == server.FIRST_UID
    assert server.take_uid(db, "blog", occupied={first + 1}) == first + 2
    assert server.take_uid(db, "shop") == first
    server.give_uid(db, "shop")
    assert server.take_uid(db, "wiki") == first


def test_the_last_uid_is_the_last(db: Store) -> None:
    everything = range(server.FIRST_UID, server.LAST_UID + 1)
    with pytest.raises(TakoError, match="all 1184 users"):
        server.take_uid(db, "shop", occupied=everything)


def test_a_row_that_cannot_be_read_is_named(db: Store, path: Path) -> None:
    apps.save(db, DEPLOYMENTS[1])
    with sqlite3.connect(path) as other:
        other.execute("UPDATE deployments SET kind = 'dance'")
    other.close()
    with pytest.raises(StoreBroken, match="dance"):
        apps.load_all(db)
