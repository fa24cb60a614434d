"""The cold path: whole or not at all, for nobody else to write to, and nothing left behind."""

import fcntl
import os
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from tako_modules.boot import unpack
from tako_modules.boot.start import interpreter_tag

from .kit import NOBODY, Archive, Start

pytestmark = pytest.mark.timeout(120)  # the first one may have to build the file
e2e = pytest.mark.e2e
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives directories to another user")
DAYS = 86400.0


def runtime(root: Path, name: str, *, age: float) -> Path:
    """Make something that looks like an unpacked runtime which was last used so many seconds ago."""
    path = root / name
    (path / "tako_modules").mkdir(parents=True)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_what_nobody_used_for_thirty_days_goes(tmp_path: Path) -> None:
    old = runtime(tmp_path, "old", age=31 * DAYS)
    recent = runtime(tmp_path, "recent", age=29 * DAYS)
    ours = runtime(tmp_path, "ours", age=31 * DAYS)
    left = runtime(tmp_path, f"{unpack.PART}left", age=2 * 3600)
    running = runtime(tmp_path, f"{unpack.PART}running", age=60)
    unpack.collect(str(tmp_path), keep="ours")
    assert [path.exists() for path in (old, recent, ours, left, running)] == [False, True, True, False, True]


def test_only_the_ten_used_last_stay(tmp_path: Path) -> None:
    many = [runtime(tmp_path, f"build{number}", age=(number + 2) * 3600) for number in range(12)]
    young = runtime(tmp_path, "young", age=60)
    unpack.collect(str(tmp_path), keep="ours")
    assert young.exists()
    assert [path.exists() for path in many] == [True] * 8 + [False] * 4


def test_what_is_in_use_stays(tmp_path: Path) -> None:
    held = runtime(tmp_path, "held", age=31 * DAYS)
    descriptor = os.open(held, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        unpack.collect(str(tmp_path), keep="ours")
    finally:
        os.close(descriptor)
    assert held.exists()


def test_what_is_no_runtime_stays(tmp_path: Path) -> None:
    other = tmp_path / "photos"
    other.mkdir()
    os.utime(other, (0, 0))
    unpack.collect(str(tmp_path), keep="ours")
    assert other.exists()


@as_root
@pytest.mark.parametrize(
    ("mode", "owner", "why"),
    [(0o777, 0, "others can write"), (0o755, NOBODY, "belongs to somebody else")],
    ids=["writable", "foreign"],
)
@e2e
def test_a_cache_that_somebody_else_prepared_is_refused(
    archive: Archive, place: Path, mode: int, owner: int, why: str
) -> None:
    cache = place / "cache"
    evil = cache / f"{archive.build}-{interpreter_tag()}/tako_modules/cli"
    evil.mkdir(parents=True)
    (evil / "main.py").write_text("print('hijacked')")
    cache.chmod(mode)
    os.chown(cache, owner, owner)
    done = Start(archive=archive, env={"TAKO_CACHE": str(cache)}).run("--help")
    assert done.returncode == 78
    assert why in done.stderr
    assert done.stdout == ""


@as_root
@e2e
def test_a_runtime_of_somebody_else_in_our_cache_is_refused(archive: Archive, place: Path) -> None:
    cache = place / "cache"
    evil = cache / f"{archive.build}-{interpreter_tag()}"
    (evil / "tako_modules").mkdir(parents=True)
    os.chown(evil, NOBODY, NOBODY)
    done = Start(archive=archive, env={"TAKO_CACHE": str(cache)}).run("--help")
    assert done.returncode == 78
    assert "belongs to somebody else" in done.stderr
    assert [path.name for path in cache.iterdir()] == [evil.name]


@as_root
@e2e
def test_a_full_disk_leaves_nothing_behind(archive: Archive, place: Path) -> None:
    script = 'mount -t tmpfs -o size=4m,mode=755 none "$1" && "$2" -IS "$3" --help; code=$?; ls -A "$1"; exit $code'
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TAKO_CACHE": str(place)}
    done = in_a_namespace(script, str(place), Start(archive=archive).python, str(archive.path), env=env)
    assert done.returncode == 78
    assert "No space left on device" in done.stderr
    assert done.stdout == ""


@as_root
@e2e
def test_a_place_that_lets_no_program_run_is_passed_over(archive: Archive, place: Path) -> None:
    script = 'mkdir "$1/home" && mount -t tmpfs -o noexec,mode=755 none "$1/home" && exec "$2" -IS "$3" __selftest__'
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "XDG_CACHE_HOME": str(place / "home")}
    env["CACHE_DIRECTORY"] = str(place / "unit")
    done = in_a_namespace(script, str(place), Start(archive=archive).python, str(archive.path), env=env)
    assert done.returncode == 0
    env.pop("CACHE_DIRECTORY")
    env["TAKO_CACHE"] = str(place / "home/cache")
    script = script.replace('mkdir "$1/home" && ', "")
    done = in_a_namespace(script, str(place), Start(archive=archive).python, str(archive.path), env=env)
    assert done.returncode == 78
    assert "noexec" in done.stderr


def in_a_namespace(script: str, *arguments: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a shell script that mounts, in a mount namespace of its own; skips where that is not allowed."""
    if subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60)


@e2e
def test_a_damaged_file_is_read_twice_and_then_refused(archive: Archive, place: Path) -> None:
    change = {"site-packages/p/common.zip": (b"PK\x05\x06", b"PK\x00\x00")}
    damaged = archive.copy(place / "tako.pyz", change=change)
    done = Start(archive=damaged, env={"TAKO_CACHE": str(place / "cache")}).run("--help")
    assert done.returncode == 78
    assert "is damaged" in done.stderr
    assert [path.name for path in (place / "cache").iterdir()] == ["CACHEDIR.TAG"]


@e2e
def test_a_file_that_is_replaced_while_it_starts_does_not_fill_the_old_runtime(archive: Archive, place: Path) -> None:
    """The stamp was read from the old file; the new one must not be unpacked under its name."""
    other = archive.copy(place / "tako.pyz", change={"_bootstrap/stamp.py": (archive.build.encode(), b"0" * 16)})
    (place / "into").mkdir()
    with pytest.raises(zipfile.BadZipFile, match="replaced"):
        unpack.unpack(str(other.path), [], str(place / "into"))


@e2e
def test_an_empty_module_after_a_power_cut_is_explained(archive: Archive, place: Path) -> None:
    start = Start(archive=archive, env={"TAKO_CACHE": str(place / "cache")})
    assert start.run("--help").returncode == 0
    [main] = (place / "cache").glob("*/tako_modules/cli/main.py")
    main.write_bytes(b"")
    for compiled in main.parent.glob("__pycache__/main.*"):
        compiled.unlink()
    done = start.run("--help")
    assert done.returncode == 78
    assert "remove it with `rm -r " in done.stderr


@e2e
def test_bytecode_is_kept_although_the_caller_keeps_none(archive: Archive, place: Path) -> None:
    env = {"TAKO_CACHE": str(place / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert Start(archive=archive, env=env, flags=()).run("--help").returncode == 0
    assert list((place / "cache").glob("*/tako_modules/cli/__pycache__/main.*.pyc"))


@e2e
def test_prepare_is_done_once_and_warm_every_time_and_no_umask_opens_them(archive: Archive, place: Path) -> None:
    start = Start(archive=archive, env={"TAKO_CACHE": str(place / "cache")}, umask=0)
    times = []
    for command in ("__prepare__", "__prepare__", "__warm__"):
        assert start.run(command).returncode == 0
        [compiled] = (place / "cache").glob("*/tako_modules/cli/__pycache__/main.*.pyc")
        times.append(compiled.stat().st_mtime_ns)
    assert times[0] == times[1] < times[2]
    paths = list((place / "cache").rglob("*"))
    assert len(paths) > 1000
    assert not [path for path in paths if path.lstat().st_mode & 0o022]
    assert (place / "cache").stat().st_mode & 0o777 == 0o700
