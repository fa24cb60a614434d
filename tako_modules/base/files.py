"""Files that are whole or absent: atomic writes, names that stay inside, digests, locks."""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from .errors import TakoError

__all__ = [
    "BLOCK",
    "DiskFull",
    "disk_errors",
    "file_digest",
    "file_lock",
    "safe_join",
    "sync_directory",
    "write_atomic",
]

BLOCK = 1 << 20  # bytes read at a time while hashing: large enough for the disk, small enough for memory


class DiskFull(TakoError):
    """The disk has no room, or the quota is used up."""

    code = "disk_full"


@contextlib.contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn the system's errors about files into ours; what: what was being done, e.g. "store the upload"."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"cannot {what}: the disk is full", hint="free space (look with `df -h`), try again"
            ) from error
        raise TakoError(f"cannot {what}: {reason}") from error


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace `path` by `data`: a reader, or the machine after a power cut, sees the old bytes or the new ones.

    Raises OSError; nothing is left behind then.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames and new names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def safe_join(base: Path, name: str) -> Path:
    """Join a relative name to `base`; raises TakoError when it is absolute, has `..` or NUL, or is empty."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise TakoError(f"the path {name!r} leaves its folder", hint="use a relative path without '..'")
    return base.joinpath(*parts)


def file_digest(path: Path) -> str:
    """Hash a file's bytes: SHA-256 in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, hashlib.sha256).hexdigest()


@contextlib.contextmanager
def file_lock(path: Path, *, block: bool = True) -> Iterator[bool]:
    """Hold an exclusive flock on `path` (made when missing, never removed).

    Yields False at once when `block` is false and somebody else holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
