"""Leases: one holder at a time, a fence that grows, and nothing that needs removing by hand."""

from collections import Counter
from pathlib import Path

import anyio
import msgspec
import pytest

from tako_modules.base.errors import Locked
from tako_modules.protocol.messages import Owner
from tako_modules.server.leases import LEASE_SECONDS, Leases
from tests.kit.clock import ManualClock

ANN = Owner(user="ann", host="laptop", pid=1)
BOB = Owner(user="bob", host="desk", pid=2)


class Desk:
    """Leases with a clock and fences of their own."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.fences: Counter[str] = Counter()
        self.folder = folder / "shop" / ".deploy_lock"
        self.folder.parent.mkdir()
        self.leases = Leases(self.clock, self._next, lambda app: self.folder)

    def _next(self, app: str) -> int:
        self.fences[app] += 1
        return self.fences[app]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_second_taker_is_told_who_holds_it_and_until_when(desk: Desk) -> None:
    desk.leases.take("shop", ANN)
    desk.clock.advance(10)
    with pytest.raises(Locked) as refused:
        desk.leases.take("shop", BOB)
    assert refused.value.exit_code == 3
    assert "ann@laptop (pid 1)" in refused.value.message
    assert "in 20 s" in refused.value.message
    assert getattr(refused.value, "held").owner == ANN  # noqa: B009


def test_it_expires_without_renewal_and_the_next_fence_is_greater(desk: Desk) -> None:
    first = desk.leases.take("shop", ANN)
    desk.clock.advance(LEASE_SECONDS)
    second = desk.leases.take("shop", BOB)
    assert second.fence > first.fence
    with pytest.raises(Locked, match="was lost"):
        desk.leases.check("shop", first.fence)


def test_a_renewed_lease_lives_on(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN)
    for _ in range(5):
        desk.clock.advance(LEASE_SECONDS - 1)
        desk.leases.renew("shop", lease.fence)
    desk.leases.check("shop", lease.fence)


def test_a_holder_that_was_stopped_for_a_minute_changes_nothing(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN)
    desk.clock.advance(60)
    with pytest.raises(Locked, match="was lost") as lost:
        desk.leases.renew("shop", lease.fence)
    assert lost.value.code == "lease_lost"


def test_a_wall_clock_that_jumps_ends_no_lease(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN)
    desk.clock.jump(86_400)
    desk.leases.check("shop", lease.fence)
    desk.clock.jump(-10 * 86_400)
    desk.leases.check("shop", lease.fence)


def test_a_pinned_lease_outlives_its_holder(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN)
    desk.leases.pin("shop", lease.fence)
    desk.clock.advance(10 * LEASE_SECONDS)
    with pytest.raises(Locked, match="when its rollout ends"):
        desk.leases.take("shop", BOB)
    desk.leases.unpin("shop")
    assert desk.leases.take("shop", BOB).fence > lease.fence


def test_given_back_it_is_free_at_once_and_shown_no_more(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN)
    shown = msgspec.json.decode((desk.folder / "owner.json").read_bytes())
    assert (shown["owner"], shown["host"], shown["pid"], shown["fence"]) == ("ann", "laptop", 1, lease.fence)
    desk.leases.give("shop", lease.fence)
    assert not (desk.folder / "owner.json").exists()
    desk.leases.take("shop", BOB)


def test_given_back_while_a_rollout_runs_it_ends_with_it(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN)
    desk.leases.pin("shop", lease.fence)
    desk.leases.give("shop", lease.fence)
    with pytest.raises(Locked):
        desk.leases.take("shop", BOB)
    desk.leases.unpin("shop")
    assert desk.leases.held("shop") is None


async def test_what_a_lease_allows_ends_with_it(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN)
    desk.clock.advance(LEASE_SECONDS - 1)
    assert desk.leases.holds("shop", lease.fence)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.leases.lost, "shop", lease.fence)
        await anyio.wait_all_tasks_blocked()
        desk.clock.advance(1)
        desk.leases.take("shop", BOB)
        await anyio.wait_all_tasks_blocked()
    assert not desk.leases.holds("shop", lease.fence)
