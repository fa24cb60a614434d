"""Handing a release to its app's user and taking it back, while other processes of that user run.

Such a process could put a link where a folder was, and root would change what the link names. So nothing is reached by
its path: folders are walked by descriptors, and each entry is touched only while its folder is root's.
"""

import os
import shutil
import stat
from pathlib import Path

from tako_modules.base.errors import TakoError

__all__ = ["DEEPEST", "move_tree", "open_tree", "seal_tree"]

DEEPEST = 200  # folders in each other; the deepest known package trees have 40, and each level costs a descriptor

_GROUP_READS = 0o050  # the group may read and enter what the owner may
_NEVER = 0o7022  # no setuid, setgid, sticky; not writable by group or others
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_tree(root: Path, uid: int, gid: int) -> None:
    """Give a tree to a user: the deepest folders first, each after all that is in it; raises TakoError, OSError.

    It is taken for root before: an install that a crash has cut short left it to the user.
    """
    seal_tree(root, gid)
    for _, _, names, folder in os.fwalk(root, topdown=False):
        for name in (*names, *_links(folder)):
            os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)
        os.fchown(folder, uid, gid)


def _links(folder: int) -> list[str]:
    """Name the links in a folder: a walk counts those to folders among the folders, and does not enter them."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_symlink()]


def seal_tree(root: Path, gid: int | None) -> None:
    """Take a tree back for root, from the top: its group reads, nobody writes; gid None: owners stay as they are.

    Raises TakoError, OSError.
    """
    folder = os.open(root, _FOLDER)
    try:
        _seal_folder(folder, gid, DEEPEST)
    finally:
        os.close(folder)


def _seal_folder(folder: int, gid: int | None, levels: int) -> None:
    """Close a folder to its app before what is in it is looked at: from then on no entry can be exchanged."""
    if not levels:
        raise TakoError(
            f"the release has folders in more than {DEEPEST} others",
            hint="look at what its install makes, e.g. links that are followed for ever",
        )
    if gid is not None:
        os.fchown(folder, 0, gid)
    os.fchmod(folder, _sealed(os.fstat(folder).st_mode))
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        _seal_entry(folder, name, gid, levels)


def _seal_entry(folder: int, name: str, gid: int | None, levels: int) -> None:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        inner = os.open(name, _FOLDER, dir_fd=folder)
        try:
            _seal_folder(inner, gid, levels - 1)
        finally:
            os.close(inner)
        return
    if gid is not None:
        os.chown(name, 0, gid, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        os.chmod(name, _sealed(found.st_mode), dir_fd=folder)


def _sealed(mode: int) -> int:
    mode = stat.S_IMODE(mode) & ~_NEVER
    return (mode & 0o700) | ((mode >> 3) & _GROUP_READS)


def move_tree(source: Path, target: Path) -> None:
    """Move what an app has kept, by one rename, or file by file where the target is on another disk.

    Files keep their owners then, folders are the caller's; nothing is deleted before all is copied. Raises OSError.
    """
    shutil.move(source, target, copy_function=_copy)


def _copy(source: str, target: str) -> None:
    shutil.copy2(source, target, follow_symlinks=False)
    found = os.lstat(source)
    os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
