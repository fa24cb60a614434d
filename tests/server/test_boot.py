"""What becomes of a rollout that a crash of the server interrupted."""

import pytest

from tako_modules.model.deployment import Kind, Rollout, Shape
from tako_modules.server.boot import INTERRUPTED, resumed

OLD = Shape(version="old", routes=("shop.example.com",))
NEW = Shape(version="new", routes=("shop.example.com",))
NOW = 50.0  # seconds: the clock of a machine that has just booted
LATE = 9_000_000.0  # the deadline by the clock before


def rollout(*, before: Shape | None = OLD, committed: bool = False, undoing: bool = False) -> Rollout:
    return Rollout(
        id="r",
        app="shop",
        kind=Kind.DEPLOY,
        after=NEW,
        before=before,
        committed=committed,
        undoing=undoing,
        deadline=LATE,
    )


def test_with_instances_alive_it_goes_on() -> None:
    assert resumed(rollout(), living=True, rebooted=False, now=NOW) == rollout()


@pytest.mark.parametrize("rebooted", [False, True])
def test_with_none_alive_what_served_comes_back(rebooted: bool) -> None:
    found = resumed(rollout(), living=False, rebooted=rebooted, now=NOW)
    assert found.undoing
    assert found.reason == INTERRUPTED
    assert NOW < found.deadline < NOW + 100


@pytest.mark.parametrize(
    "former",
    [rollout(before=None), rollout(committed=True), rollout(undoing=True)],
    ids=["a first deploy", "committed", "being undone"],
)
def test_others_go_on_with_a_deadline_of_the_new_clock(former: Rollout) -> None:
    found = resumed(former, living=False, rebooted=True, now=NOW)
    assert (found.undoing, found.committed, found.before) == (former.undoing, former.committed, former.before)
    assert NOW < found.deadline < NOW + 1000
