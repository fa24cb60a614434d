"""What restart and scale begin with."""

import pytest

from tako_modules.base.errors import Refused
from tako_modules.model.deployment import Deployment, Shape
from tako_modules.server.ops.restart import running_shape
from tako_modules.server.registry import Entry

SHAPE = Shape(version="v", routes=("shop.example.com",))


def test_what_runs_gives_its_shape() -> None:
    assert running_shape(Entry(Deployment(app="shop", shape=SHAPE))) == SHAPE


def test_what_is_stopped_stays_so_until_start() -> None:
    with pytest.raises(Refused, match="shop is stopped") as refused:
        running_shape(Entry(Deployment(app="shop", shape=SHAPE, stopped=True)))
    assert refused.value.code == "stopped"
    assert "tako start" in refused.value.hint


def test_what_was_never_deployed_well_is_told_first() -> None:
    with pytest.raises(Refused, match="no release that serves"):
        running_shape(Entry(Deployment(app="shop", stopped=True)))
