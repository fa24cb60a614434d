"""Building the file: refusals, and the same bytes from the same sources."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .kit import PYTHON, Archive

HERE = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that was never built."""
    for name in ("build_zipapp.py", "requirements", "tako_modules"):
        source = HERE / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    return tmp_path


def take_wheels(checkout: Path) -> None:
    """Copy the wheels that the archive's build installed, while no build changes them."""
    with open(HERE / "build/lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        shutil.copytree(HERE / "build", checkout / "build")


def build(checkout: Path, *arguments: str, env: dict[str, str], umask: int) -> "subprocess.CompletedProcess[str]":
    """Run the build script of a checkout."""
    argv = [sys.executable, str(checkout / "build_zipapp.py"), *arguments]
    return subprocess.run(argv, env=os.environ | env, umask=umask, capture_output=True, text=True)


def test_the_file_for_all_platforms_is_not_built_yet(checkout: Path) -> None:
    done = build(checkout, env={}, umask=0o022)
    assert done.returncode == 2
    assert "build_zipapp.py --host-only" in done.stderr


def test_without_pip_and_venv_it_names_the_package(checkout: Path) -> None:
    code = (
        "import runpy, sys; sys.modules['pip'] = sys.modules['ensurepip'] = None\n"
        "sys.argv = [sys.argv[1], '--host-only']; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    argv = [PYTHON, "-IS", "-c", code, str(checkout / "build_zipapp.py")]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 2
    assert "apt-get install python3-venv" in done.stderr


def test_the_same_sources_give_the_same_bytes(archive: Archive, checkout: Path) -> None:
    """Another place, umask, time zone and hash seed; the wheels are the ones already installed, in both."""
    take_wheels(checkout)
    digests = []
    for umask, env in ((0o022, {"TZ": "UTC"}), (0o077, {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LC_ALL": "C"})):
        output = checkout / f"{umask}.pyz"
        done = build(checkout, "--host-only", "--output", str(output), env=env, umask=umask)
        assert done.returncode == 0, done.stderr
        digests.append(done.stdout.splitlines()[-2])
        assert output.stat().st_mode & 0o777 == 0o755
    assert digests[0].startswith("sha256 ")
    assert digests[0] == digests[1]


def test_source_date_epoch_dates_the_entries(archive: Archive, checkout: Path) -> None:
    take_wheels(checkout)
    output = checkout / "dated.pyz"
    done = build(checkout, "--host-only", "--output", str(output), env={"SOURCE_DATE_EPOCH": "1700000000"}, umask=0o022)
    assert done.returncode == 0, done.stderr
    listing = subprocess.run([PYTHON, "-m", "zipfile", "-l", str(output)], capture_output=True, text=True).stdout
    assert listing.count("2023-11-14") == len(listing.splitlines()) - 1
