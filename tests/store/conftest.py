"""An open, empty state file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tako_modules.store.db import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runtime-state.sqlite3"


@pytest.fixture
def db(path: Path) -> Iterator[Store]:
    store = Store.open(path)
    yield store
    store.close()
