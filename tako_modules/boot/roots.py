"""Where unpacked runtimes may live, in the order they are looked for, and whose directories are trusted."""

import fcntl
import os
import stat
import sys
import time
from collections.abc import Iterator

DAY = 86400.0  # seconds between two notes that a runtime is in use; they are compared in units of 30 days
ROOT_CACHE = "/var/cache/tako"
_held: list[int] = []  # the descriptors whose shared flock says for this process' life: in use


def find(archive: str, name: str) -> str | None:
    """Find the runtime `name` and hold it for the life of this process; None: no trusted directory has it."""
    for root in candidates(archive):
        path = f"{root}/{name}"
        if trusted(root) and hold(path):
            return path
    return None


def candidates(archive: str) -> Iterator[str]:
    """Give the directories for runtimes: TAKO_CACHE alone when it is set, else the ones of the file, unit and user."""
    named = os.environ.get("TAKO_CACHE")
    if named:
        yield os.path.abspath(named)
        return
    yield beside(archive)
    unit = os.environ.get("CACHE_DIRECTORY", "").split(":")[0]
    if unit.startswith("/"):
        yield f"{unit}/runtime"
    cache = _user_cache()
    if cache:
        yield cache
    if os.geteuid() == 0:
        yield ROOT_CACHE


def beside(archive: str) -> str:
    """Name the directory that whoever installed the file may have made for runtimes; it is never made here."""
    return f"{os.path.dirname(archive)}/.tako-runtime"


def trusted(path: str) -> bool:
    """Whether a directory is root's or ours and nobody else can write to it."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid in {0, os.geteuid()} and not status.st_mode & 0o022


def private(path: str) -> bool:
    """Whether a directory is ours and closed to everybody else."""
    status = os.lstat(path)
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


def hold(path: str) -> bool:
    """Mark a runtime as in use while this process lives; False when it is not there or not to be trusted."""
    if not trusted(path):
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if time.time() - os.fstat(descriptor).st_mtime > DAY:
            os.utime(descriptor)
    except OSError:  # a file system without locks, or one that is read-only: used all the same
        pass
    if not trusted(path) or os.lstat(path).st_ino != os.fstat(descriptor).st_ino:
        os.close(descriptor)  # it was collected while the lock was awaited
        return False
    _held.append(descriptor)
    return True


def _user_cache() -> str | None:
    named = os.environ.get("XDG_CACHE_HOME", "")
    if named.startswith("/"):
        return f"{named}/tako"
    home = _home()
    if home is None:
        return None
    return f"{home}/Library/Caches/tako" if sys.platform == "darwin" else f"{home}/.cache/tako"


def _home() -> str | None:
    home = os.environ.get("HOME", "")
    if not home.startswith("/"):
        import pwd

        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            return None
    try:  # under sudo HOME may be somebody else's: root keeps nothing there
        foreign = os.geteuid() == 0 and os.lstat(home).st_uid != 0
    except OSError:
        return None
    return None if foreign or home == "/" else home
