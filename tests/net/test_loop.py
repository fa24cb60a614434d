"""The loop with a poller and a clock of the test's own."""

import socket

import pytest

from tako_modules.net.loop import EXCLUSIVE, IN, OUT, STREAM, Loop
from tako_modules.net.wheel import FOREVER, NEVER, Wheel

from .pairs import FakePoller


@pytest.fixture(name="poller")
def _poller() -> FakePoller:
    return FakePoller()


@pytest.fixture(name="loop")
def _loop(poller: FakePoller) -> Loop:
    return Loop(poller, poller.clock)


def test_a_handler_hears_the_mask(loop: Loop, poller: FakePoller) -> None:
    heard: list[int] = []
    loop.add(7, heard.append)
    poller.batches = [[(7, IN), (8, IN)], [(7, IN | OUT)]]
    loop.turn()
    loop.turn()
    assert heard == [IN, IN | OUT]
    assert poller.watched == {7: STREAM}


def test_another_mask_and_another_handler(loop: Loop, poller: FakePoller) -> None:
    first: list[int] = []
    second: list[int] = []
    loop.add(7, first.append, IN | EXCLUSIVE)
    loop.handle(7, second.append)
    poller.batches = [[(7, IN)]]
    loop.turn()
    assert (first, second, poller.watched) == ([], [IN], {7: IN | EXCLUSIVE})
    loop.remove(7)
    assert poller.watched == {}


def test_calls_come_after_handlers_and_do_not_wait(loop: Loop, poller: FakePoller) -> None:
    order: list[str] = []

    def handler(_: int) -> None:
        loop.call_soon(lambda: order.append("soon"))
        order.append("handler")

    loop.add(7, handler)
    loop.add(8, lambda _: order.append("other"))
    poller.batches = [[(7, IN), (8, IN)]]
    loop.turn()
    assert order == ["handler", "other", "soon"]
    loop.call_soon(lambda: loop.call_soon(lambda: order.append("later")))
    loop.turn()
    assert order[-1] == "soon"
    loop.turn()
    assert order[-1] == "later"
    assert poller.timeouts[-1] == 0.0


def test_a_socket_is_closed_only_after_the_batch(loop: Loop, poller: FakePoller) -> None:
    one, other = socket.socketpair()
    fd = one.fileno()
    seen: list[int] = []

    def handler(_: int) -> None:
        loop.discard(one)
        seen.append(one.fileno())

    loop.add(fd, handler)
    poller.batches = [[(fd, IN), (fd, OUT)]]
    loop.turn()
    other.close()
    assert seen == [fd]
    assert one.fileno() == -1


def test_timers_come_in_their_order_and_can_be_cancelled(loop: Loop, poller: FakePoller) -> None:
    order: list[str] = []
    loop.call_later(0.3, lambda: order.append("second"))
    loop.call_later(0.1, lambda: order.append("first"))
    loop.call_later(0.2, lambda: order.append("never")).cancel()
    while poller.now < 100.5:
        loop.turn()
    assert order == ["first", "second"]
    assert 0.05 < poller.timeouts[0] <= 0.1


def test_run_ends_after_stop(loop: Loop) -> None:
    loop.call_later(0.1, loop.stop)
    loop.run()


class Fragile:
    """An object whose methods raise."""

    def __init__(self) -> None:
        self.deadline = FOREVER
        self.slot = NEVER
        self.ends = 0

    def on_event(self, _: int) -> None:
        """Raise."""
        raise ValueError("event")

    def act(self) -> None:
        """Raise."""
        raise ValueError("act")

    def expired(self) -> None:
        """Raise."""
        raise ValueError("expired")

    def broken(self) -> None:
        """Raise as well."""
        self.ends += 1
        raise ValueError("broken")


@pytest.mark.parametrize("way", ["event", "soon", "later", "deadline"])
def test_an_exception_ends_its_owner_and_nobody_else(
    loop: Loop, poller: FakePoller, way: str, capfd: pytest.CaptureFixture[str]
) -> None:
    fragile, heard = Fragile(), list[int]()
    loop.add(8, heard.append)
    if way == "event":
        loop.add(7, fragile.on_event)
        poller.batches = [[(7, IN), (8, IN)]]
    elif way == "soon":
        loop.call_soon(fragile.act)
        poller.batches = [[(8, IN)]]
    elif way == "later":
        loop.call_later(0.5, fragile.act)
    else:
        fragile.deadline = poller.now + 0.5
        loop.wheel.watch(fragile)
    for _ in range(10):
        loop.turn()
    assert fragile.ends == 1
    assert loop.failures == 2
    assert capfd.readouterr().err.count("loop.failure") <= 2
    if way in ("event", "soon"):
        assert heard == [IN]


def test_exceptions_are_reported_once_a_second_at_most(
    loop: Loop, poller: FakePoller, capfd: pytest.CaptureFixture[str]
) -> None:
    loop.add(7, Fragile().on_event)
    poller.batches = [[(7, IN)]] * 50
    for _ in range(50):
        loop.turn()
    assert capfd.readouterr().err.count("loop.failure") == 1


# -- deadlines


class Item:
    """Something with a deadline."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.slot = NEVER

    def expired(self) -> None:
        """Nobody asks."""


def test_an_item_is_found_when_its_deadline_has_passed() -> None:
    wheel, item = Wheel(10.0), Item(12.5)
    wheel.watch(item)
    assert wheel.due(12.6) == []
    assert wheel.due(13.0) == [item]
    assert wheel.due(100.0) == []


def test_a_deadline_that_moved_on_is_kept_without_being_told() -> None:
    wheel, item = Wheel(10.0), Item(12.5)
    wheel.watch(item)
    item.deadline = 20.0
    assert wheel.due(15.0) == []
    assert wheel.due(21.0) == [item]


def test_a_deadline_that_moved_nearer_has_to_be_told() -> None:
    wheel, item = Wheel(10.0), Item(50.0)
    wheel.watch(item)
    item.deadline = 12.0
    wheel.watch(item)
    assert wheel.due(13.0) == [item]
    assert wheel.due(60.0) == []


def test_an_item_without_deadline_leaves_until_it_is_told() -> None:
    wheel, item = Wheel(10.0), Item(12.0)
    wheel.watch(item)
    item.deadline = FOREVER
    assert wheel.due(50.0) == []
    assert (item.slot, len(wheel)) == (NEVER, 0)
    wheel.watch(item)
    assert len(wheel) == 0
    item.deadline = 60.0
    wheel.watch(item)
    assert wheel.due(61.0) == [item]


def test_a_forgotten_item_is_not_found() -> None:
    wheel, item = Wheel(10.0), Item(12.0)
    wheel.watch(item)
    wheel.forget(item)
    wheel.forget(item)
    assert wheel.due(50.0) == []


def test_a_deadline_in_the_past_is_found_at_the_next_second() -> None:
    wheel, item = Wheel(10.0), Item(3.0)
    wheel.watch(item)
    assert wheel.due(11.0) == [item]
