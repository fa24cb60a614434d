"""The built file, and places to start it from as different users."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from .kit import Archive

HERE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def archive() -> Iterator[Archive]:
    """A copy of dist/tako.pyz, which is built anew when a source is younger: another build may replace that one."""
    path = HERE / "dist/tako.pyz"
    sources = [HERE / "build_zipapp.py", *(HERE / "tako_modules").rglob("*.py"), *(HERE / "requirements").glob("*.txt")]
    if not path.exists() or any(source.stat().st_mtime > path.stat().st_mtime for source in sources):
        argv = [sys.executable, str(HERE / "build_zipapp.py"), "--host-only"]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    with TemporaryDirectory(prefix="tako-boot-file-") as name:
        Path(name).chmod(0o755)
        yield Archive(path).copy(Path(name) / "tako.pyz")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home whose runtime stays from test to test, where the first start is not what is tested."""
    with TemporaryDirectory(prefix="tako-boot-home-") as name:
        yield Path(name)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can reach, which pytest's own are not."""
    with TemporaryDirectory(prefix="tako-boot-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
