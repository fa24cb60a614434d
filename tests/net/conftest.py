"""A loop for each test."""

from collections.abc import Iterator

import pytest

from .pairs import Turner, turner


@pytest.fixture(name="turn")
def _turn() -> Iterator[Turner]:
    with turner() as one:
        yield one
