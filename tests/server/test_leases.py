"""Leases: one holder at a time, a fence that grows, and nothing that needs removing by hand."""

from collections import Counter
from pathlib import Path

import anyio
import msgspec
import pytest

from tako_modules.base.errors import Locked
from tako_modules.protocol.messages import Owner
from tako_modules.server.leases import LEASE_SECONDS, LEFT_SECONDS, SILENT_SECONDS, Leases
from tests.kit.clock import ManualClock

ANN = Owner(user="ann", host="laptop", pid=1)
BOB = Owner(user="bob", host="desk", pid=2)


class Desk:
    """Leases with a clock and fences of their own."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.is_rolling = False
        self.fences: Counter[str] = Counter()
        self.folder = folder / "shop" / ".deploy_lock"
        self.folder.parent.mkdir()
        self.leases = Leases(self.clock, self._next, lambda app: self.folder, lambda app: self.is_rolling)

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
    assert "in 10 s" in refused.value.message
    assert getattr(refused.value, "held").owner == ANN  # noqa: B009


def test_it_expires_without_renewal_and_the_next_fence_is_greater(desk: Desk) -> None:
    first = desk.leases.take("shop", ANN)
    desk.clock.advance(LEASE_SECONDS)
    second = desk.leases.take("shop", BOB)
    assert second.fence > first.fence
    with pytest.raises(Locked, match="was lost"):
        desk.leases.check("shop", first.fence)


def test_what_is_called_off_before_it_began_may_not_begin(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN)
    assert desk.leases.call_off("shop", lease.fence)
    assert desk.leases.check("shop", lease.fence).called_off
    desk.clock.advance(LEASE_SECONDS)
    assert not desk.leases.check("shop", desk.leases.take("shop", BOB).fence).called_off


def test_what_has_begun_is_not_called_off(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN)
    with desk.leases.pinned("shop", lease.fence):
        assert not desk.leases.call_off("shop", lease.fence)
    assert not desk.leases.call_off("shop", lease.fence)
    with pytest.raises(Locked, match="was lost"):
        desk.leases.call_off("shop", lease.fence + 1)


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
    with desk.leases.pinned("shop", lease.fence):
        desk.clock.advance(10 * LEASE_SECONDS)
        with pytest.raises(Locked, match="when its rollout ends"):
            desk.leases.take("shop", BOB)
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
    with desk.leases.pinned("shop", lease.fence):
        desk.leases.give("shop", lease.fence)
        with pytest.raises(Locked):
            desk.leases.take("shop", BOB)
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


def test_where_somebody_waits_a_silent_holder_gives_way_sooner(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN, anyio.Event())
    desk.clock.advance(SILENT_SECONDS - 0.1)
    with pytest.raises(Locked, match="in 0 s unless"):
        desk.leases.take("shop", BOB)
    desk.clock.advance(0.1)
    desk.leases.check("shop", lease.fence)
    assert desk.leases.take("shop", BOB).fence > lease.fence
    with pytest.raises(Locked, match="was lost"):
        desk.leases.renew("shop", lease.fence)


def test_a_silent_holder_that_nobody_waits_for_goes_on(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN, anyio.Event())
    desk.clock.advance(LEASE_SECONDS - 0.1)
    desk.leases.renew("shop", lease.fence)


def test_a_holder_whose_connections_have_ended_gives_way_soon(desk: Desk) -> None:
    first, second = anyio.Event(), anyio.Event()
    lease = desk.leases.take("shop", ANN, first)
    desk.leases.renew("shop", lease.fence, second)
    first.set()
    desk.clock.advance(LEFT_SECONDS)
    with pytest.raises(Locked):
        desk.leases.take("shop", BOB)
    second.set()
    with pytest.raises(Locked, match=f"in {LEFT_SECONDS:.0f} s"):
        desk.leases.take("shop", BOB)
    desk.clock.advance(LEFT_SECONDS)
    desk.leases.take("shop", BOB)


def test_a_holder_with_a_connection_for_each_message_keeps_it(desk: Desk) -> None:
    def line() -> anyio.Event:
        ended = anyio.Event()
        ended.set()
        return ended

    lease = desk.leases.take("shop", ANN, line())
    for _ in range(10):
        desk.clock.advance(LEFT_SECONDS - 1)
        with pytest.raises(Locked, match="is locked"):
            desk.leases.take("shop", BOB)
        desk.leases.renew("shop", lease.fence, line())


def test_a_rollout_keeps_the_lease_of_a_holder_that_left(desk: Desk) -> None:
    ended = anyio.Event()
    lease = desk.leases.take("shop", ANN, ended)
    with desk.leases.pinned("shop", lease.fence):
        ended.set()
        desk.clock.advance(10 * LEFT_SECONDS)
        with pytest.raises(Locked, match="when its rollout ends"):
            desk.leases.take("shop", BOB)
    desk.leases.take("shop", BOB)


def test_a_rollout_that_outlived_its_server_is_waited_for(desk: Desk) -> None:
    desk.is_rolling = True
    with pytest.raises(Locked, match="under way when the server was restarted") as refused:
        desk.leases.take("shop", BOB)
    assert refused.value.exit_code == 3
    desk.is_rolling = False
    desk.leases.take("shop", BOB)


async def test_one_that_ran_out_is_shown_no_more(desk: Desk) -> None:
    desk.leases.take("shop", ANN)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.leases.sweep)
        await anyio.wait_all_tasks_blocked()
        assert (desk.folder / "owner.json").exists()
        desk.clock.advance(LEASE_SECONDS)
        await anyio.wait_all_tasks_blocked()
        assert not (desk.folder / "owner.json").exists()
        tasks.cancel_scope.cancel()


def test_a_folder_that_takes_no_file_hinders_nobody(desk: Desk) -> None:
    desk.folder.write_text("where the folder should be")
    lease = desk.leases.take("shop", ANN)
    desk.leases.renew("shop", lease.fence)
    desk.leases.give("shop", lease.fence)


def test_what_is_shown_moves_on_with_each_renewal(desk: Desk) -> None:
    lease = desk.leases.take("shop", ANN)
    first = msgspec.json.decode((desk.folder / "owner.json").read_bytes())
    desk.clock.advance(5)
    desk.leases.renew("shop", lease.fence)
    second = msgspec.json.decode((desk.folder / "owner.json").read_bytes())
    assert second["start"] == first["start"]
    assert second["expiry"] > first["expiry"]
