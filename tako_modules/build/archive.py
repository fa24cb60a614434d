"""Pack entries into a tar.gz whose bytes depend on nothing but their names, modes and content."""

import gzip
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from tako_modules.base.errors import ConfigError, TakoError
from tako_modules.base.files import disk_errors
from tako_modules.base.text import size_text

from .limits import LIMITS
from .source import Entry
from .tree import unreadable

__all__ = ["pack"]

_LEVEL = 6  # of gzip: level 9 takes three times as long for one per cent
_LEAVE_OUT = "leave files out with exclude in tako.toml or with .takoignore"
_TOO_LARGE = f"the app is larger than the {size_text(LIMITS.total)} that a server takes"


def pack(folder: Path, entries: Sequence[Entry], target: Path) -> None:
    """Write an archive of the project's entries to a new file.

    Owner, group and time are 0, modes 644 and 755. Raises TakoError when a file changes meanwhile, and ConfigError when
    the archive is larger than a server takes: at once where the sizes of the files tell it.
    """
    _refuse_too_much(entries)
    with disk_errors(f"write into {target.parent}"), open(target, "xb") as raw:
        size = _write(folder, entries, raw)
        raw.flush()
        os.fsync(raw.fileno())
        compressed = raw.tell()
    if size > LIMITS.bytes_of(compressed):
        message = f"{size_text(size)} compress to {size_text(compressed)}: a server takes that for a bomb"
        raise ConfigError(message, hint="leave large empty files out with .takoignore")


def _refuse_too_much(entries: Sequence[Entry]) -> None:
    if len(entries) > LIMITS.entries:
        message = f"the app has {len(entries)} files, more than the {LIMITS.entries} that a server takes"
        raise ConfigError(message, hint=_LEAVE_OUT)
    if sum(entry.size for entry in entries) > LIMITS.total:
        largest = max(entries, key=lambda entry: entry.size)
        raise ConfigError(f"{_TOO_LARGE}; {largest.path} alone has {size_text(largest.size)}", hint=_LEAVE_OUT)


def _write(folder: Path, entries: Sequence[Entry], raw: BinaryIO) -> int:
    """Write all entries; gives the size of the tar before it was compressed."""
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in entries:
            _add(tar, folder, entry)
            if tar.offset > LIMITS.total:
                raise ConfigError(_TOO_LARGE, hint=_LEAVE_OUT)
    return tar.offset


def _add(tar: tarfile.TarFile, folder: Path, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    if entry.target:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.target, 0o777
        tar.addfile(info)
        return
    with _opened(folder, entry.path) as file:
        info.size = os.fstat(file.fileno()).st_size
        info.mode = 0o755 if entry.executable else 0o644
        try:
            tar.addfile(info, file)
        except OSError as error:
            if error.errno is not None:
                raise  # of the disk that is written to; tarfile's own error about a short file has no number
            raise TakoError(f"{entry.path} changed while it was packed", hint="run the command again") from error
        if file.read(1):
            raise TakoError(f"{entry.path} grew while it was packed", hint="run the command again")


def _opened(folder: Path, path: str) -> BinaryIO:
    """Open a file to pack, never through a link that has taken its place."""
    try:
        return open(os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
    except FileNotFoundError as error:
        raise TakoError(f"{path} went away while it was packed", hint="run the command again") from error
    except OSError as error:
        raise unreadable(path, error) from error
