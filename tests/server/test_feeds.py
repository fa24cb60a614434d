"""What workers are told and what is believed of them: an instance is let go only when every one of them has."""

import socket
from collections.abc import AsyncIterator

import anyio
import pytest

from tako_modules.model import snapshot as feed
from tako_modules.model.deployment import Deployment, Shape, Vitals
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.server.feeds import Feed, Feeds
from tako_modules.server.link import Child
from tako_modules.server.publish import app_traffic
from tako_modules.server.registry import Entry


class Bench:
    """Feeds with workers that the test plays."""

    def __init__(self) -> None:
        self.heard: list[feed.Fact] = []
        self.changes = 0
        self.feeds = Feeds(self.heard.append, self._changed)
        self.workers: list[socket.socket] = []
        self.children: list[Child] = []

    def _changed(self) -> None:
        self.changes += 1

    def worker(self) -> Feed:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        child = Child(kind="worker", id=str(len(self.workers)), pid=100 + len(self.workers), start=7)
        self.workers.append(theirs)
        self.children.append(child)
        return Feed(child, ours)

    def say(self, number: int, *told: feed.Fact) -> None:
        for fact in told:
            self.workers[number].send(feed.encode(fact))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    for child in made.children:
        made.feeds.forget(child)
    for worker in made.workers:
        worker.close()


async def settle() -> None:
    for _ in range(20):
        await anyio.lowlevel.checkpoint()
    await anyio.sleep(0.02)


async def test_an_instance_is_let_go_when_all_have_applied_and_have_nothing_open(bench: Bench) -> None:
    async with anyio.create_task_group() as tasks:
        for one in (bench.worker(), bench.worker()):
            bench.feeds.add(one, tasks)
        await settle()
        bench.say(0, feed.InFlight(instances={"shop/1": 2}), feed.Applied(epoch=1, generation=5))
        await settle()
        assert not bench.feeds.let_go("shop/1", 1, 5), "the second worker has not applied it"
        bench.say(1, feed.Applied(epoch=1, generation=5))
        await settle()
        assert not bench.feeds.let_go("shop/1", 1, 5), "two requests are open"
        assert bench.feeds.in_flight("shop/1") == 2
        bench.say(0, feed.InFlight(instances={"shop/1": 0}))
        await settle()
        assert bench.feeds.let_go("shop/1", 1, 5)
        assert not bench.feeds.let_go("shop/1", 2, 1), "a newer epoch begins anew"
        tasks.cancel_scope.cancel()


async def test_a_dead_worker_holds_nothing_and_its_counts_stay(bench: Bench) -> None:
    async with anyio.create_task_group() as tasks:
        bench.feeds.add(bench.worker(), tasks)
        await settle()
        bench.say(0, feed.InFlight(instances={"shop/1": 3}))
        await settle()
        count = feed.ServedCount(app="shop", version="v", started=9, finished=8, failed=1)
        bench.say(0, feed.Served(counts=(count,)))
        bench.workers[0].close()
        bench.feeds.forget(bench.children[0])
        assert bench.feeds.let_go("shop/1", 1, 1)
        assert bench.feeds.tally.of("shop").started == 9
        tasks.cancel_scope.cancel()


async def test_what_a_dead_worker_had_open_is_told_to_have_fallen(bench: Bench) -> None:
    async with anyio.create_task_group() as tasks:
        for one in (bench.worker(), bench.worker()):
            bench.feeds.add(one, tasks)
        bench.say(1, feed.InFlight(instances={"shop/1": 1}))
        bench.say(0, feed.InFlight(instances={"shop/1": 3}))
        await settle()
        bench.heard.clear()
        bench.say(0, feed.InFlight(instances={"shop/1": 4, "blog/2": 1}))  # its last words
        bench.workers[0].close()
        bench.feeds.forget(bench.children[0])
        assert bench.heard[-1] == feed.InFlight(instances={"shop/1": 0, "blog/2": 0})
        assert bench.feeds.in_flight("shop/1") == 1, "what another worker has open stays"
        tasks.cancel_scope.cancel()


async def test_a_worker_that_dies_with_nothing_open_tells_nothing(bench: Bench) -> None:
    async with anyio.create_task_group() as tasks:
        bench.feeds.add(bench.worker(), tasks)
        bench.say(0, feed.InFlight(instances={"shop/1": 1}), feed.InFlight(instances={"shop/1": 0}))
        await settle()
        bench.heard.clear()
        bench.feeds.forget(bench.children[0])
        assert bench.heard == []
        tasks.cancel_scope.cancel()


async def test_a_worker_whose_exit_comes_before_anybody_has_read_it_holds_nothing(bench: Bench) -> None:
    one = bench.worker()
    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            bench.feeds.add(one, tasks)
            bench.workers[0].close()
            bench.feeds.forget(one.child)
    assert list(bench.feeds) == []
    assert bench.feeds.let_go("shop/1", 1, 1)


async def test_who_reads_a_worker_hears_that_it_was_forgotten(bench: Bench) -> None:
    one = bench.worker()
    with anyio.fail_after(1):
        async with anyio.create_task_group() as tasks:
            bench.feeds.add(one, tasks)
            await settle()
            bench.feeds.forget(one.child)  # a copy of its channel is open still, so that no end comes


async def test_what_a_worker_counted_before_it_died_unheard_is_counted(bench: Bench) -> None:
    one = bench.worker()
    count = feed.ServedCount(app="shop", version="v", started=9, finished=8, failed=1)
    bench.say(0, feed.WakeRequested(app="shop"), feed.Served(counts=(count,)))
    bench.workers[0].close()
    bench.feeds.hear_last(one.child, one.channel)
    bench.feeds.tally.retire_others(())
    assert bench.feeds.tally.of("shop").failed == 1
    assert bench.heard == [], "nobody waits any more for what it asked"


async def test_a_snapshot_reaches_those_who_come_later_too(bench: Bench) -> None:
    bench.feeds.publish(feed.Snapshot(epoch=1, generation=1))
    async with anyio.create_task_group() as tasks:
        bench.feeds.add(bench.worker(), tasks)
        await settle()
        packet, files, _, _ = socket.recv_fds(bench.workers[0], 1 << 16, 1)
        with open(files[0], "rb") as memory:
            memory.seek(0)
            assert feed.decode_snapshot(memory.read()) == feed.Snapshot(epoch=1, generation=1)
        assert feed.decode_down(packet) == feed.NewSnapshot(epoch=1, generation=1)
        tasks.cancel_scope.cancel()


def entry(**changes: object) -> Entry:
    shape = Shape(version="v", routes=("shop.example.com",))
    made = Entry(Deployment(app="shop", shape=shape))
    made.set(**changes)
    return made


def test_traffic_names_healthy_admitted_instances_alone() -> None:
    shop = entry()
    states = [(InstanceState.HEALTHY, True), (InstanceState.HEALTHY, False), (InstanceState.UNHEALTHY, True)]
    for number, (state, admitted) in enumerate(states, 1):
        shop.instances[number] = Instance(
            app="shop", number=number, version="v", port=20000 + number, state=state, admitted=admitted
        )
    traffic = app_traffic(shop, 0.0, workers=2)
    assert [one.id for one in traffic.instances] == ["shop/1"]
    assert traffic.hold is not None
    assert traffic.hold.waiting == 500


def test_a_sleeping_app_holds_requests_a_stopped_one_does_not() -> None:
    asleep = entry(shape=Shape(version="v", routes=("a.example.com",), instances=0))
    assert app_traffic(asleep, 0.0, workers=1).asleep
    stopped = entry(stopped=True)
    assert app_traffic(stopped, 0.0, workers=1).hold is None


def test_an_app_in_a_crash_loop_answers_with_its_reason_until_the_next_try() -> None:
    failing = entry(vitals=Vitals(crashes=3, next_start_at=50.0, reason="exited with code 1"))
    assert app_traffic(failing, 49.0, workers=1).error == "exited with code 1"
    assert app_traffic(failing, 51.0, workers=1).error == ""
    assert app_traffic(failing, 51.0, workers=1).hold is not None
