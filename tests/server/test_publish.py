"""What leaves control for the workers: never a snapshot that would refuse those who are served now."""

import socket
from collections.abc import Iterator

import anyio
import msgspec
import pytest

from tako_modules.model import snapshot as feed
from tako_modules.model.deployment import Deployment, Shape
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.server.feeds import Feed, Feeds
from tako_modules.server.link import Child, Link
from tako_modules.server.publish import Publisher
from tako_modules.server.registry import Registry

CERTIFICATE = feed.Certificate(names=("shop.example.com",), chain="chain", key="key")


class Bench:
    """A publisher whose snapshots go to init, which the test plays."""

    def __init__(self) -> None:
        ours, self.init = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.init.setblocking(False)
        self.link = Link(ours)
        self._ours = ours
        self.registry = Registry()
        self.drained: list[str] = []
        self.feeds = Feeds(lambda fact: None, self._look)
        self.publisher = Publisher(self.registry, self.feeds, self.link, epoch=1, https_port=443)
        shape = Shape(version="v", routes=("shop.example.com",))
        entry = self.registry.add(Deployment(app="shop", shape=shape))
        self.instances = entry.instances
        self.instances[1] = Instance(
            app="shop", number=1, version="v", port=20000, state=InstanceState.HEALTHY, admitted=True
        )

    def _look(self) -> None:
        self.publisher.check_drained(self._let_go)

    def _let_go(self, one: Instance) -> None:
        self.drained.append(one.id)
        self.instances[one.number] = msgspec.structs.replace(one, drained=True)

    def worker(self) -> tuple[Feed, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return Feed(Child(kind="worker", id="0", pid=100, start=7), ours), theirs

    def instance(self, number: int, state: InstanceState, withdrawn_at: float | None = None) -> None:
        self.instances[number] = Instance(
            app="shop", number=number, version="v", port=20000 + number, state=state, withdrawn_at=withdrawn_at
        )

    def received(self) -> list[feed.Snapshot]:
        """Give the snapshots that have gone out since the last look."""
        found: list[feed.Snapshot] = []
        while True:
            try:
                _, [memory], _, _ = socket.recv_fds(self.init, 1 << 17, 4)
            except BlockingIOError:
                return found
            with open(memory, "rb") as file:
                file.seek(0)
                found.append(feed.decode_snapshot(file.read()))

    def sent(self) -> int:
        """How many snapshots have gone out since the last look."""
        return len(self.received())

    def close(self) -> None:
        self.init.close()
        self._ours.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def test_nothing_is_published_before_the_certificates_are_known(bench: Bench) -> None:
    bench.instances[1] = Instance(
        app="shop", number=1, version="v", port=20000, state=InstanceState.DRAINING, withdrawn_at=1.0
    )
    bench.publisher.publish(1.0)
    bench.publisher.publish(1.0, force=True)
    assert bench.sent() == 0
    assert bench.instances[1].withdrawn_generation is None
    bench.publisher.certificates = (CERTIFICATE,)
    bench.publisher.publish(2.0)
    assert bench.sent() == 1
    assert bench.instances[1].withdrawn_generation == 1


def test_what_is_not_new_is_not_published_again(bench: Bench) -> None:
    bench.publisher.certificates = ()
    bench.publisher.publish(1.0)
    bench.publisher.publish(1.0)
    assert bench.sent() == 1
    bench.publisher.publish(1.0, force=True)
    assert bench.sent() == 1


async def test_an_instance_that_no_snapshot_names_is_let_go_as_soon_as_it_is_withdrawn(bench: Bench) -> None:
    bench.publisher.certificates = ()
    bench.instance(2, InstanceState.UNHEALTHY)
    one, theirs = bench.worker()
    with theirs:
        async with anyio.create_task_group() as tasks:
            bench.feeds.add(one, tasks)
            bench.publisher.publish(1.0)
            theirs.send(feed.encode(feed.InFlight(instances={"shop/3": 1})))
            theirs.send(feed.encode(feed.Applied(epoch=1, generation=1)))
            with anyio.fail_after(2):
                await bench.publisher.in_force()
            bench.sent()
            bench.instance(2, InstanceState.DRAINING, withdrawn_at=2.0)
            bench.instance(3, InstanceState.DRAINING, withdrawn_at=2.0)
            bench.publisher.publish(2.0)
            assert bench.sent() == 0
            assert bench.drained == ["shop/2"], "a request is open at the other one"
            bench.feeds.forget(one.child)
    assert bench.drained == ["shop/2", "shop/3"]


async def test_what_a_new_snapshot_withdraws_waits_until_the_workers_have_applied_it(bench: Bench) -> None:
    bench.publisher.certificates = ()
    one, theirs = bench.worker()
    with theirs:
        async with anyio.create_task_group() as tasks:
            bench.feeds.add(one, tasks)
            bench.publisher.publish(1.0)
            theirs.send(feed.encode(feed.Applied(epoch=1, generation=1)))
            with anyio.fail_after(2):
                await bench.publisher.in_force()
            bench.instance(1, InstanceState.DRAINING, withdrawn_at=2.0)
            bench.publisher.publish(2.0)
            assert bench.drained == []
            theirs.send(feed.encode(feed.Applied(epoch=1, generation=2)))
            with anyio.fail_after(2):
                await bench.publisher.in_force()
            assert bench.drained == ["shop/1"]
            bench.feeds.forget(one.child)


def test_what_a_new_snapshot_withdraws_is_not_let_go_while_no_worker_is_known(bench: Bench) -> None:
    bench.publisher.certificates = ()
    bench.publisher.publish(1.0)
    bench.instance(1, InstanceState.DRAINING, withdrawn_at=2.0)
    bench.publisher.publish(2.0)
    assert bench.drained == [], "one that starts now may still have the snapshot before"


def test_the_server_is_well_while_one_of_its_apps_serves_or_sleeps(bench: Bench) -> None:
    bench.publisher.certificates = (CERTIFICATE,)
    bench.publisher.publish(0.0)
    assert [one.healthy for one in bench.received()] == [True]
    bench.instance(1, InstanceState.STARTING)
    bench.publisher.publish(0.0)
    assert [one.healthy for one in bench.received()] == [False]
    [entry] = bench.registry
    entry.set(stopped=True)
    bench.publisher.publish(0.0)
    assert [one.healthy for one in bench.received()] == [True], "nothing should run"
    entry.set(stopped=False, shape=Shape(version="v", routes=("shop.example.com",), instances=0))
    bench.instances.clear()
    bench.publisher.publish(0.0)
    assert [one.healthy for one in bench.received()][-1:] == [True], "it sleeps"
