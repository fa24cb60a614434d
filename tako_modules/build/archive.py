"""Pack entries into a tar.gz whose bytes depend on nothing but their names, modes and content."""

import gzip
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from tako_modules.base.errors import TakoError
from tako_modules.base.files import disk_errors
from tako_modules.base.text import size_text

from .limits import LIMITS
from .source import Entry

__all__ = ["pack"]

_LEVEL = 6  # of gzip: level 9 takes three times as long for one per cent


def pack(folder: Path, entries: Sequence[Entry], target: Path) -> None:
    """Write an archive of the project's entries to a new file.

    Owner, group and time are 0, modes 644 and 755. Raises TakoError when a file changes meanwhile, or when the
    archive is larger than a server takes.
    """
    if len(entries) > LIMITS.entries:
        message = f"the app has {len(entries)} files, more than the {LIMITS.entries} that a server takes"
        raise TakoError(message, hint="leave files out with .takoignore")
    with disk_errors(f"write {target.name}"), open(target, "xb") as raw:
        size = _write(folder, entries, raw)
        raw.flush()
        os.fsync(raw.fileno())
        compressed = raw.tell()
    if size > LIMITS.bytes_of(compressed):
        message = f"{size_text(size)} compress to {size_text(compressed)}: a server takes that for a bomb"
        raise TakoError(message, hint="leave large empty files out with .takoignore")


def _write(folder: Path, entries: Sequence[Entry], raw: BinaryIO) -> int:
    """Write all entries; gives the size of the tar before it was compressed."""
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in entries:
            _add(tar, folder, entry)
            if tar.offset > LIMITS.total:
                message = f"the app is larger than the {size_text(LIMITS.total)} that a server takes"
                raise TakoError(message, hint="leave files out with .takoignore")
    return tar.offset


def _add(tar: tarfile.TarFile, folder: Path, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    if entry.target:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.target, 0o777
        tar.addfile(info)
        return
    descriptor = os.open(folder / entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        info.size = os.fstat(file.fileno()).st_size
        info.mode = 0o755 if entry.executable else 0o644
        try:
            tar.addfile(info, file)
        except OSError as error:
            raise TakoError(f"{entry.path} changed while it was packed", hint="run the command again") from error
        if file.read(1):
            raise TakoError(f"{entry.path} grew while it was packed", hint="run the command again")
