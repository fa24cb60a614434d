"""Which earlier deployment a rollback returns to."""

from tako_modules.model.deployment import Kind, Outcome, Rollout, Shape
from tako_modules.plan import rollback

ROUTE = "shop.example.com"


def history(*ended: Rollout) -> list[Rollout]:
    """Give rollouts that were written oldest first as the store does: newest first."""
    return list(reversed(ended))


def one(name: str, version: str, instances: int = 1, *, kind: Kind = Kind.DEPLOY, route: str = ROUTE) -> Rollout:
    """Make a rollout that ended well."""
    shape = Shape(version=version, routes=(route,), instances=instances)
    return Rollout(id=name, app="shop", kind=kind, after=shape, outcome=Outcome.SUCCESS)


def previous(*ended: Rollout, kept: str = "v1 v2 v3") -> str:
    """Tell the id of the rollout whose shape comes back, "" for none."""
    found = rollback.previous(history(*ended), kept.split())
    return found.id if found else ""


def test_the_deployment_before_the_running_one() -> None:
    assert previous(one("a", "v1"), one("b", "v2"), one("c", "v3")) == "b"


def test_a_second_rollback_comes_forward_again() -> None:
    assert previous(one("a", "v1"), one("b", "v2"), one("c", "v1", kind=Kind.ROLLBACK)) == "b"


def test_the_same_version_with_other_routes_is_another_deployment() -> None:
    assert previous(one("a", "v1", route="old.example.com"), one("b", "v1")) == "a"


def test_what_was_deployed_again_without_a_difference_is_the_running_one() -> None:
    assert previous(one("a", "v1"), one("b", "v2"), one("c", "v2")) == "a"
    assert previous(one("a", "v1"), one("b", "v1")) == ""


def test_scaling_and_restarting_change_a_deployment_and_begin_none() -> None:
    scaled = one("b", "v1", 3, kind=Kind.SCALE)
    assert previous(one("a", "v1"), scaled) == ""
    assert previous(one("a", "v1"), scaled, one("c", "v2")) == "b"  # as it was when it was replaced
    assert previous(one("a", "v1"), one("b", "v2"), one("c", "v2", 3, kind=Kind.SCALE)) == "a"


def test_what_is_not_kept_is_passed_over() -> None:
    assert previous(one("a", "v1"), one("b", "v2"), one("c", "v3"), kept="v1 v3") == "a"
    assert previous(one("a", "v1"), one("b", "v2"), one("c", "v1"), kept="v1") == ""


def test_nothing_yet() -> None:
    assert previous() == ""
    assert previous(one("b", "v2", 3, kind=Kind.SCALE)) == ""  # older ones are forgotten


def test_by_id_or_version() -> None:
    good = history(one("a", "v1"), one("b", "v1", 2), one("c", "v2"))
    assert [found.id for found in (rollback.wanted(good, ["v1", "v2"], "v1"),) if found] == ["b"]
    assert [found.id for found in (rollback.wanted(good, ["v1", "v2"], "a"),) if found] == ["a"]
    assert rollback.wanted(good, ["v2"], "a") is None
