"""What leaves control for the workers: never a snapshot that would refuse those who are served now."""

import os
import socket
from collections.abc import Iterator

import pytest

from tako_modules.model import snapshot as feed
from tako_modules.model.deployment import Deployment, Shape
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.server.feeds import Feeds
from tako_modules.server.link import Link
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
        self.feeds = Feeds(lambda fact: None, lambda: None)
        self.publisher = Publisher(self.registry, self.feeds, self.link, epoch=1, https_port=443)
        shape = Shape(version="v", routes=("shop.example.com",))
        entry = self.registry.add(Deployment(app="shop", shape=shape))
        self.instances = entry.instances
        self.instances[1] = Instance(
            app="shop", number=1, version="v", port=20000, state=InstanceState.HEALTHY, admitted=True
        )

    def sent(self) -> int:
        """How many snapshots have gone out since the last look."""
        count = 0
        while True:
            try:
                _, memory, _, _ = socket.recv_fds(self.init, 1 << 17, 4)
            except BlockingIOError:
                return count
            for descriptor in memory:
                os.close(descriptor)
            count += 1

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
