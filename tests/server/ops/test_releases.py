"""What is told about the releases that are kept."""

import pytest

from tako_modules.model.deployment import Kind, Outcome, Rollout, Shape
from tako_modules.model.release import Release
from tako_modules.server.ops.releases import deployed_at


def rollout(version: str, kind: Kind, finished_at: float) -> Rollout:
    """Make one that ended well."""
    shape = Shape(version=version, routes=("shop.example.com",))
    return Rollout(
        id=f"{version}{finished_at}",
        app="shop",
        kind=kind,
        after=shape,
        outcome=Outcome.SUCCESS,
        started_at=finished_at - 5.0,
        finished_at=finished_at,
    )


GOOD = [
    rollout("b", Kind.RESTART, 70.0),
    rollout("b", Kind.SCALE, 60.0),
    rollout("b", Kind.ROLLBACK, 50.0),
    rollout("a", Kind.DEPLOY, 40.0),
    rollout("a", Kind.DEPLOY, 30.0),
    rollout("b", Kind.DEPLOY, 20.0),
]


@pytest.mark.parametrize(("version", "seconds"), [("a", 40.0), ("b", 50.0), ("never served", 10.0)])
def test_a_release_was_deployed_when_it_last_came_to_serve(version: str, seconds: float) -> None:
    assert deployed_at(Release(app="shop", version=version, created_at=10.0), GOOD) == seconds
