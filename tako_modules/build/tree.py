"""Walk a project's folder: what is there, and what a build changed."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from tako_modules.base.errors import ConfigError, TakoError
from tako_modules.workspace.kinds import kind_of, kind_of_mode

__all__ = ["Stamp", "Tree", "changed", "unreadable", "walk"]

PRUNED = frozenset({".git", ".hg", ".svn", ".tako", "node_modules", ".venv", "__pycache__", ".turbo", ".vite"})
_SHOWN = 60  # characters of a path that is far too long
WALK_LIMIT = 1_000_000  # files looked at: a project is not a whole disk


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one state of a file from another without reading it."""

    size: int
    modified: int
    created: int
    inode: int
    mode: int


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk found, by relative path: files and links, and in words what is neither (`run.sock`: "a socket")."""

    files: dict[str, Stamp] = {}
    others: dict[str, str] = {}


def walk(folder: Path, enters: Callable[[str], bool] = lambda folder: True) -> Tree:
    """Stamp every file and link below a folder by its relative path; folders that are never shipped are not entered.

    enters: whether a folder that cannot be read matters. Raises ConfigError when one does.
    """
    tree = Tree()
    for path, entry in _entries(folder, enters):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # somebody else is at work in the folder
        except OSError as error:
            if not enters(path):
                continue
            raise unreadable(path, error) from error
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            tree.others[path] = kind_of_mode(status.st_mode)
            continue
        tree.files[path] = _stamp(status)
        if len(tree.files) > WALK_LIMIT:
            raise ConfigError(f"the project has more than {WALK_LIMIT} files", hint="is tako.toml in the right folder?")
    return tree


def changed(before: Tree, after: Tree) -> tuple[str, ...]:
    """Name the files that are new or other than before."""
    return tuple(sorted(path for path, stamp in after.files.items() if before.files.get(path) != stamp))


def unreadable(path: str, error: OSError) -> TakoError:
    """Say that a path of the project cannot be looked at, and how to do without it."""
    remedy = "shorten the names" if error.errno == errno.ENAMETOOLONG else "make it readable"
    hint = f"{remedy}, or leave the folder out with exclude in tako.toml or with .takoignore"
    return ConfigError(f"cannot read {_shortened(path)}: {error.strerror}", hint=hint)


def _shortened(path: str) -> str:
    half = _SHOWN // 2
    return path if len(path) <= _SHOWN else f"{path[:half]}…{path[-half:]} ({len(os.fsencode(path))} bytes)"


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(
        size=status.st_size,
        modified=status.st_mtime_ns,
        created=status.st_ctime_ns,
        inode=status.st_ino,
        mode=status.st_mode,
    )


def _entries(folder: Path, enters: Callable[[str], bool]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    waiting = [""]
    while waiting:
        below = waiting.pop()
        for entry in _listed(folder, below, enters):
            path = below + entry.name
            if not entry.is_dir(follow_symlinks=False):
                yield path, entry
            elif entry.name not in PRUNED and not kind_of(Path(entry.path, "pyvenv.cfg")):
                waiting.append(path + "/")


def _listed(folder: Path, below: str, enters: Callable[[str], bool]) -> list[os.DirEntry[str]]:
    """List one folder; one that cannot be read and is not shipped has nothing."""
    try:
        with os.scandir(folder / below) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        path = below.rstrip("/")
        if path and not enters(path):
            return []
        raise unreadable(path or str(folder), error) from error
