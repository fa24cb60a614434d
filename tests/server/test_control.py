"""Control and init at the moments at which one of them knows what the other does not yet."""

from pathlib import Path

import msgspec
import pytest

from tako_modules.model.deployment import Counters, Kind, Rollout, Shape
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.model.snapshot import Served, ServedCount
from tako_modules.plan.reconcile import TERM_SECONDS
from tako_modules.server import facts
from tako_modules.store import counters, ports, server
from tests.kit.control import FIRST_PORT, TIMEOUT, staged
from tests.kit.init import Boot

SHAPE = Shape(version="old", routes=("shop.example.com",))
TWO = msgspec.structs.replace(SHAPE, instances=2)
VERSIONS = ("old", "new")
TERM, KILL = 15, 9


def serving(number: int = 1) -> Instance:
    """Give an instance that has traffic."""
    return msgspec.structs.replace(starting(number), state=InstanceState.HEALTHY, healthy_at=900.0, admitted=True)


def starting(number: int, version: str = "old") -> Instance:
    """Give an instance whose process is known and whose time is over."""
    return Instance(app="shop", number=number, version=version, port=FIRST_PORT + number, pid=1, spawned_at=900.0)


def replacing(shape: Shape = SHAPE) -> Rollout:
    """Give a rollout that replaces all instances at once."""
    return Rollout(
        id="r",
        app="shop",
        kind=Kind.DEPLOY,
        after=msgspec.structs.replace(shape, version="new"),
        before=shape,
        parallel=True,
        window=0.0,
        deadline=1100.0,
        first_number=shape.instances + 1,
    )


async def test_an_instance_that_init_starts_too_late_is_killed_once_it_is_known(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE, VERSIONS, rollout=replacing())
        stage.living(serving())
        stage.init.boot = Boot.HELD
        async with stage.control():
            await stage.until(lambda: stage.init.held)
            await stage.pass_by(TIMEOUT + 1)
            assert stage.entry().instances[2].killed
            stage.init.answer(stage.init.held.popleft(), Boot.DEAF)
            await stage.until(lambda: stage.entry().deployment.rollout is None)
        assert list(stage.init.instances) == ["shop/1"]


async def test_one_that_is_given_up_before_it_is_known_is_asked_to_end(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE, VERSIONS, rollout=replacing())
        stage.living(serving())
        stage.init.boot = Boot.HELD
        async with stage.control() as control:
            await stage.until(lambda: stage.init.held)
            stage.entry().set_rollout(undoing=True)
            control.inbox.put("shop", facts.Tick())
            assert stage.entry().instances[2].terminated_at is not None
            stage.init.answer(stage.init.held.popleft(), Boot.DEAF)
            await stage.until(lambda: stage.entry().deployment.rollout is None)
        assert [one.signal for one in stage.init.asked if one.op == "kill"] == [TERM]


async def test_a_new_control_knows_all_children_before_it_kills_one(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", TWO, VERSIONS, rollout=replacing(TWO))
        for number in (1, 2):
            stage.living(serving(number))
        for number in (3, 4):
            stage.living(starting(number, "new"), Boot.DEAF)
        async with stage.control():
            await stage.adopted()
            await stage.until(lambda: stage.entry().deployment.rollout is None)
        assert list(stage.init.instances) == ["shop/1", "shop/2"]


async def test_a_new_control_takes_nothing_away_while_it_does_not_know_who_has_died(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE, VERSIONS, rollout=msgspec.structs.replace(replacing(), undoing=True))
        stage.living(serving())
        stage.living(msgspec.structs.replace(serving(2), version="new"))
        stage.init.end("shop/1", 1)
        stage.init.boot = Boot.HELD
        async with stage.control():
            await stage.adopted()
            assert [one.number for one in stage.entry().serving] == [2]
            await stage.pass_by(5.0)  # longer than the pause after a crash
            await stage.until(lambda: stage.init.held)
            stage.init.answer(stage.init.held.popleft())
            await stage.until(lambda: [one.number for one in stage.entry().serving] == [3])


async def test_a_new_control_does_not_repeat_a_sigterm(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE)
        stage.living(serving())
        ending = msgspec.structs.replace(
            starting(2), state=InstanceState.DRAINING, drained=True, withdrawn_at=990.0, terminated_at=999.0
        )
        old = stage.living(ending, Boot.DEAF)
        async with stage.control():
            await stage.adopted()
            assert stage.init.signals(old) == []
            await stage.pass_by(TERM_SECONDS)
            await stage.until(lambda: stage.init.signals(old))
        assert stage.init.signals(old) == [KILL]


async def test_an_exit_before_the_adoption_is_an_exit(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE)
        stage.living(serving())
        async with stage.control(burst=lambda: stage.init.end("shop/1", 7)):
            await stage.adopted()
            assert stage.entry().deployment.vitals.reason == "exited with code 7"
            await stage.pass_by(5.0)
            await stage.until(lambda: stage.entry().serving)
        assert list(stage.init.instances) == ["shop/2"]


COUNTS = {
    ("", "shop", "old"): Counters(started=1000, finished=1000),
    ("", "blog", "x"): Counters(started=7, finished=7),
}
LAST = Served(counts=(ServedCount(app="shop", version="old", started=60, finished=60),))


async def test_a_worker_that_ends_while_control_starts_keeps_all_counts(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE)
        worker = stage.init.worker()
        stored = {(worker.key, "shop", "old"): Counters(started=50, finished=50)}
        counters.save_all(stage.db, {**COUNTS, **stored})
        worker.say(LAST)
        async with stage.control(burst=lambda: stage.init.lose(worker)) as control:
            await stage.adopted()
            assert control.control.counters("shop").started == 1060
        found = counters.load_all(stage.db)
        assert found == {**COUNTS, ("", "shop", "old"): Counters(started=1060, finished=1060)}


async def test_what_a_worker_counted_while_no_control_was_there_is_written_at_once(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE)
        worker = stage.init.worker()
        counters.save_all(stage.db, {**COUNTS, (worker.key, "shop", "old"): Counters(started=50, finished=50)})
        worker.say(LAST)
        stage.init.lose(worker)
        async with stage.control():
            await stage.adopted()
        assert counters.load_all(stage.db)[("", "shop", "old")].started == 1060


async def test_a_control_that_is_replaced_while_it_starts_writes_no_counts(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE)
        counters.save_all(stage.db, COUNTS)
        async with stage.control(burst=lambda: stage.init.tell("resumed")) as control:
            await stage.until(lambda: control.registry.get("shop") or stage.has_ended)
        assert counters.load_all(stage.db) == COUNTS


@pytest.mark.parametrize("told", ["hello", "stop"])
async def test_a_stop_that_meets_a_starting_control_ends_all_in_order(tmp_path: Path, told: str) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", TWO)
        one, worker = stage.living(serving()), stage.init.worker()
        stage.init.stopping = told == "hello"
        async with stage.control(burst=lambda: stage.init.tell("stop", {"seconds": 60.0}) if told == "stop" else None):
            await stage.until(lambda: worker.drains)
            assert stage.init.ops("retire", "stopped") == ["retire"]
            assert stage.init.signals(one) == []
            stage.init.lose(worker, 0)
            await stage.until(lambda: stage.init.ops("stopped"))
        assert stage.init.signals(one) == [TERM]
        assert stage.init.ops("spawn", "retire", "kill", "stopped") == ["retire", "kill", "stopped"]


async def test_a_stop_while_control_starts_and_the_last_worker_is_gone(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE)
        one, worker = stage.living(serving()), stage.init.worker()

        def stop() -> None:
            stage.init.tell("stop", {"seconds": 60.0})
            stage.init.lose(worker, 0)

        async with stage.control(burst=stop):
            await stage.until(lambda: stage.init.ops("stopped"))
        assert stage.init.signals(one) == [TERM]


async def test_a_port_whose_instance_was_never_written_down_is_taken_back(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE)
        first, never_written = serving(), FIRST_PORT + 2
        ports.take(stage.db, first.port, "shop", 1)
        stage.living(first)
        ports.take(stage.db, never_written, "shop", 2)
        lost = stage.init.instance("shop/2", never_written)
        async with stage.control():
            await stage.adopted()
            await stage.until(lambda: stage.init.signals(lost) == [KILL])
        found = ports.load(stage.db, stage.clock.monotonic())
        assert found.held == {first.port}
        assert found.cooling == {never_written}


async def test_an_instance_that_init_holds_is_kept_though_the_boot_was_not_written_down(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE)
        server.begin(stage.db, "the boot before", 1.0)
        one = stage.living(serving())
        async with stage.control() as control:
            assert control.begun.rebooted
            await stage.adopted()
            assert [it.birth for it in stage.entry().serving] == [one.start]
        assert stage.init.signals(one) == []
