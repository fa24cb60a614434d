"""The tests' folders mirror the rooms."""

from .sources import ROOT
from .test_floors import FLOOR

BESIDE = {"command", "docs", "house", "kit", "e2e", "bench", "wire", "boot"}  # folders that are not a room's


def test_each_folder_names_a_room() -> None:
    """A room's tests stand under the room's name, and nowhere else."""
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - FLOOR.keys() - BESIDE == set()


def test_test_folders_are_packages() -> None:
    """Relative imports of fixtures need it, and equal file names in two rooms too."""
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert sorted(f.relative_to(ROOT).as_posix() for f in folders if not (f / "__init__.py").exists()) == []
