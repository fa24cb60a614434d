"""Fixtures: a bed as root and rootless."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bed import Bed, Control, bed_in

MODES = ["rootless", *(["root"] if os.geteuid() == 0 else [])]


@pytest.fixture(params=MODES)
def bed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bed]:
    """Give a bed in each mode this machine allows; the test starts init."""
    with bed_in(tmp_path, rootless=request.param == "rootless") as made:
        yield made


@pytest.fixture
def rootless_bed(tmp_path: Path) -> Iterator[Bed]:
    """Give a bed in single-user mode, for what does not depend on rights."""
    with bed_in(tmp_path, rootless=True) as made:
        yield made


@pytest.fixture(scope="module")
def calm_control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """Give one rootless control for many tests that only ask and are answered."""
    with bed_in(tmp_path_factory.mktemp("calm"), rootless=True) as made:
        yield made.start().control()


@pytest.fixture
def root_bed(tmp_path: Path) -> Iterator[Bed]:
    """Give a bed with the rights of a server."""
    with bed_in(tmp_path, rootless=False) as made:
        yield made


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user can reach and write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)
