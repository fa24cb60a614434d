"""Which directories are looked at for runtimes, and which are trusted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tako_modules.boot import roots

from .kit import NOBODY

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives directories to another user")
ARCHIVE = "/opt/x/tako.pyz"
CODE = f"from tako_modules.boot import roots; print(*roots.candidates({ARCHIVE!r}), sep='\\n')"


def candidates(env: dict[str, str], user: int | None = None) -> list[str]:
    """List them in a process of its own, with just this environment."""
    argv = [sys.executable, "-c", CODE]
    done = subprocess.run(argv, env=env, user=user, group=user, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_named_cache_is_the_only_one() -> None:
    assert candidates({"TAKO_CACHE": "/srv/cache", "HOME": "/root"}) == ["/srv/cache"]


def test_the_file_comes_first_then_the_unit_then_the_user(tmp_path: Path) -> None:
    found = candidates({"CACHE_DIRECTORY": "/var/cache/a:/var/cache/b", "HOME": str(tmp_path)})
    assert found[:3] == ["/opt/x/.tako-runtime", "/var/cache/a/runtime", f"{tmp_path}/.cache/tako"]


def test_the_user_may_have_moved_the_cache(tmp_path: Path) -> None:
    assert f"{tmp_path}/tako" in candidates({"XDG_CACHE_HOME": str(tmp_path), "HOME": "/root"})


@as_root
def test_root_keeps_nothing_in_the_home_of_another(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    assert candidates({"HOME": str(tmp_path)}) == ["/opt/x/.tako-runtime", "/var/cache/tako"]


@as_root
def test_a_user_whom_the_system_does_not_know_has_only_the_file_beside(tmp_path: Path) -> None:
    code = CODE.replace("print", "import sys; print")
    argv = ["/usr/bin/python3", "-c", code]
    env = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(argv, env=env, user=54321, group=54321, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["/opt/x/.tako-runtime"]


@pytest.mark.parametrize(("mode", "good"), [(0o700, True), (0o755, True), (0o775, False), (0o757, False)])
def test_a_directory_that_others_may_write_to_is_not_trusted(tmp_path: Path, mode: int, good: bool) -> None:
    tmp_path.chmod(mode)
    assert roots.trusted(str(tmp_path)) is good
    assert roots.hold(str(tmp_path)) is good


def test_a_link_a_file_and_nothing_are_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    assert not [name for name in ("link", "file", "none") if roots.trusted(str(tmp_path / name))]


@as_root
def test_root_trusts_root_alone(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    assert not roots.trusted(str(tmp_path))
