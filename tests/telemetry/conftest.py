"""A folder for logs, and a pipe as an instance has one."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "shop"
    path.mkdir()
    return path


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Reading and writing end; a capture closes the first, a test may close the second."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)
