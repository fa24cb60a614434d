"""What control says of a deployment from what it knows."""

import pytest

from tako_modules.model.deployment import Deployment, Kind, Rollout, Shape
from tako_modules.model.instance import Instance
from tako_modules.server.registry import Entry

OLD = Shape(version="v1", routes=("old.example.com",))
NEW = Shape(version="v2", routes=("new.example.com",))


def instance(number: int, version: str) -> Instance:
    return Instance(app="shop", number=number, version=version, port=20000 + number)


@pytest.mark.parametrize(
    ("one", "committed", "routes"),
    [
        (instance(1, "v1"), False, OLD.routes),
        (instance(2, "v2"), False, NEW.routes),
        (instance(3, "v1"), False, OLD.routes),
        (instance(2, "v2"), True, NEW.routes),
    ],
    ids=["an old one", "a new one", "one that replaced an old one", "a new one that serves"],
)
def test_an_instance_answers_for_the_routes_of_its_own_shape(
    one: Instance, committed: bool, routes: tuple[str, ...]
) -> None:
    rollout = Rollout(id="r", app="shop", kind=Kind.DEPLOY, after=NEW, before=OLD, first_number=2, committed=committed)
    entry = Entry(Deployment(app="shop", shape=NEW if committed else OLD, rollout=rollout))
    assert entry.routes_of(one) == routes


def test_without_a_rollout_they_are_those_in_force() -> None:
    assert Entry(Deployment(app="shop", shape=OLD)).routes_of(instance(1, "v1")) == OLD.routes
