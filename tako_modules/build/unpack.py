"""Unpack an artifact where it will be run, trusting nothing in it.

Files are made through descriptors of their folders, never through a path or a link: links are made last, after all of
them are known to stay inside. Nothing is left behind when it fails.
"""

import gzip
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tako_modules.base.files import disk_errors
from tako_modules.base.text import size_text

from .limits import LIMITS, Limits
from .names import Names, check_links, split_path
from .tar import Damaged, Header, TarReader

__all__ = ["Unpacked", "unpack"]

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """What came out: how many files and links, and the bytes of their content."""

    files: int
    size: int


def unpack(file: Path, target: Path, *, limits: Limits = LIMITS) -> Unpacked:
    """Unpack a tar.gz into the new folder `target`; everything in it belongs to the caller, modes 644 and 755.

    Blocks: call it in a thread. Raises TakoError, and takes `target` away, when anything in the archive is not allowed.
    """
    with disk_errors(f"make {target}"):
        target.mkdir(mode=0o755)
    try:
        with disk_errors(f"unpack into {target}"), open(file, "rb") as packed:
            allowed = limits.bytes_of(os.fstat(packed.fileno()).st_size)
            with gzip.GzipFile(fileobj=packed, mode="rb") as stream:
                return _unpack(TarReader(_Counted(stream, allowed)), target, limits)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


class _Counted:
    """The unpacked bytes, which end with an error when they become too many."""

    def __init__(self, stream: gzip.GzipFile, allowed: int) -> None:
        self._stream = stream
        self._allowed = self._left = allowed

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes; raises Damaged."""
        try:
            data = self._stream.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise Damaged(f"the archive is damaged: {error}", hint="upload it again") from error
        self._left -= len(data)
        if self._left < 0:
            message = f"the archive unpacks to more than the {size_text(self._allowed)} that its size allows"
            raise Damaged(message, hint="leave large files out with .takoignore")
        return data


def _unpack(reader: TarReader, target: Path, limits: Limits) -> Unpacked:
    names, links = Names(), {}
    files = size = entries = 0
    with _Folders.opened(target) as folders:
        for header in reader.headers():
            entries += 1
            if entries > limits.entries:
                raise Damaged(f"the archive has more than {limits.entries} entries", hint="leave files out")
            parts = split_path(header.path)
            names.add(parts, folder=header.kind == "folder")
            if header.kind == "link":
                links[header.path] = header.target
            elif header.kind == "folder":
                folders.enter(parts)
            else:
                _write(folders.enter(parts[:-1]), parts[-1], header, reader)
                files, size = files + 1, size + header.size
        check_links(links)
        for path, linked in links.items():
            parts = split_path(path)
            os.symlink(linked, parts[-1], dir_fd=folders.enter(parts[:-1]))
    return Unpacked(files=files + len(links), size=size)


def _write(folder: int, name: str, header: Header, reader: TarReader) -> None:
    descriptor = os.open(name, _FILE_FLAGS, 0o600, dir_fd=folder)
    with open(descriptor, "wb", buffering=0) as file:
        for piece in reader.content(header.size):
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
        os.fchmod(file.fileno(), 0o755 if header.mode & 0o100 else 0o644)


class _Folders:
    """The folder that was used last, open with all folders above it: an archive's entries come in order."""

    def __init__(self, root: int) -> None:
        self._names: list[str] = []
        self._open = [root]

    @classmethod
    @contextmanager
    def opened(cls, target: Path) -> Iterator["_Folders"]:
        """Open the root, and close everything at the end."""
        folders = cls(os.open(target, _FOLDER_FLAGS))
        try:
            os.fchmod(folders._open[0], 0o755)
            yield folders
        finally:
            for descriptor in folders._open:
                os.close(descriptor)

    def enter(self, parts: tuple[str, ...]) -> int:
        """Give the descriptor of a folder, made on the way where it is missing."""
        same = 0
        while same < min(len(parts), len(self._names)) and parts[same] == self._names[same]:
            same += 1
        while len(self._names) > same:
            self._names.pop()
            os.close(self._open.pop())
        for name in parts[same:]:
            self._open.append(_make(name, self._open[-1]))
            self._names.append(name)
        return self._open[-1]


def _make(name: str, parent: int) -> int:
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        return os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    descriptor = os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    os.fchmod(descriptor, 0o755)  # whatever the umask is
    return descriptor
