"""A worker for each test."""

from collections.abc import Iterator

import pytest

from .bed import Bed, bed


@pytest.fixture(name="bed")
def _bed() -> Iterator[Bed]:
    with bed() as one:
        yield one
