"""Help and version answer at once: nothing heavy is imported for them."""

import sys

import pytest

from .cold import heavy_imports
from .sources import ROOT


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_start_is_cold(option: str) -> None:
    """The door's table of verbs is a literal, verbs are imported when called."""
    assert heavy_imports(sys.executable, [str(ROOT / "tako.py"), option]) == []
