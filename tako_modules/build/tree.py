"""Walk a project's folder: what is there, and what a build changed."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tako_modules.base.errors import TakoError

__all__ = ["Stamp", "Tree", "changed", "walk"]

PRUNED = frozenset({".git", ".hg", ".svn", ".tako", "node_modules", ".venv", "__pycache__", ".turbo", ".vite"})
WALK_LIMIT = 1_000_000  # files looked at: a project is not a whole disk


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one state of a file from another without reading it."""

    size: int
    modified: int
    created: int
    inode: int
    mode: int


Tree = dict[str, Stamp]


def walk(folder: Path) -> Tree:
    """Stamp every file and link below a folder by its relative path; folders that are never shipped are not entered.

    Raises TakoError when a folder cannot be read.
    """
    tree: Tree = {}
    for path, entry in _entries(folder):
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
            tree[path] = Stamp(
                size=status.st_size,
                modified=status.st_mtime_ns,
                created=status.st_ctime_ns,
                inode=status.st_ino,
                mode=status.st_mode,
            )
        if len(tree) > WALK_LIMIT:
            raise TakoError(f"the project has more than {WALK_LIMIT} files", hint="is tako.toml in the right folder?")
    return tree


def changed(before: Tree, after: Tree) -> tuple[str, ...]:
    """Name the files that are new or other than before."""
    return tuple(sorted(path for path, stamp in after.items() if before.get(path) != stamp))


def _entries(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(folder / below) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise TakoError(f"cannot read {below or folder}: {error.strerror}") from error
        for entry in entries:
            path = below + entry.name
            if not entry.is_dir(follow_symlinks=False):
                yield path, entry
            elif entry.name not in PRUNED and not Path(entry.path, "pyvenv.cfg").exists():
                waiting.append(path + "/")
