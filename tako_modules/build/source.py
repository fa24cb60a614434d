"""Which files of a project are shipped.

(what git has or would take) ∪ (what builds made) ∪ `include`, minus `.takoignore`, `exclude`, what the runtime has no
use for, and a fixed list. Without git its rules are applied to a walk over the folder.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from pathspec import GitIgnoreSpec

from tako_modules.base.errors import ConfigError, TakoError
from tako_modules.workspace.kinds import FILE_KIND, kind_of

from .names import Names, check_links, split_path
from .tree import unreadable

__all__ = ["FIXED", "Entry", "Rules", "ignored_by_files", "read_entries"]

FIXED = (
    *(".git", ".hg/", ".svn/", ".tako/", "node_modules/", ".venv/", "__pycache__/", "*.py[co]"),
    *(".env*", "*.log", "**/.next/cache/", ".turbo/", ".vite/", ".DS_Store"),
)
TAKOIGNORE = ".takoignore"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file or link to ship; size: bytes of a file; target: what a link holds, "" for a file."""

    path: str
    size: int = 0
    executable: bool = False
    target: str = ""


class Rules:
    """What is left out, and what is taken although git ignores it."""

    def __init__(self, folder: Path, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._folder = folder
        self._environments: dict[str, bool] = {}
        self._include = _spec(include, "include")
        self._out = _spec([*_lines(folder / TAKOIGNORE), *exclude, *FIXED], "exclude")

    def takes(self, path: str) -> bool:
        """Tell whether `include` names a file."""
        return self._include.match_file(path)

    def ships(self, path: str) -> bool:
        """Tell whether nothing leaves the file out."""
        return not self._out.match_file(path) and not self._is_in_environment(path)

    def enters(self, folder: str) -> bool:
        """Tell whether a folder, without a slash at its end, is not left out as a whole."""
        return not self._out.match_file(f"{folder}/")

    def _is_in_environment(self, path: str) -> bool:
        """Tell whether a file belongs to a virtual environment of Python, whatever its folder is called."""
        below = path.rpartition("/")[0]
        if not below:
            return False
        if below not in self._environments:
            own = bool(kind_of(self._folder / below / "pyvenv.cfg"))
            self._environments[below] = own or self._is_in_environment(below)
        return self._environments[below]


def ignored_by_files(folder: Path, paths: Iterable[str]) -> set[str]:
    """Tell which files the .gitignore files of a folder without git ignore."""
    specs: dict[str, GitIgnoreSpec] = {}
    ignored = set()
    for path in paths:
        if _is_ignored(folder, path, specs):
            ignored.add(path)
    return ignored


def _is_ignored(folder: Path, path: str, specs: dict[str, GitIgnoreSpec]) -> bool:
    """Ask the .gitignore of every folder on the way, outermost first: a deeper word counts more."""
    verdict = False
    parts = path.split("/")
    for depth in range(len(parts)):
        below = "/".join(parts[:depth])
        if below not in specs:
            file = folder / below / ".gitignore"
            specs[below] = _spec(_lines(file) if kind_of(file) == FILE_KIND else [], f"{below}/.gitignore")
        word = specs[below].check_file("/".join(parts[depth:])).include
        verdict = verdict if word is None else word
    return verdict


def read_entries(folder: Path, paths: Iterable[str]) -> tuple[Entry, ...]:
    """Look at every path, sorted; those that are gone are left out.

    Raises ConfigError for a link that leaves the project, names that differ only in case, and an own `logs`.
    """
    entries = [entry for path in sorted(set(paths)) if (entry := _entry(folder, path)) is not None]
    names = Names()
    with _of_the_project():
        for entry in entries:
            names.add(split_path(entry.path))
        check_links({entry.path: entry.target for entry in entries if entry.target})
    return tuple(entries)


@contextmanager
def _of_the_project() -> Iterator[None]:
    """Make what a server would say of an archive an error about the project that it comes from."""
    try:
        yield
    except TakoError as error:
        raise ConfigError(error.message, hint=error.hint) from error


def _entry(folder: Path, path: str) -> Entry | None:
    try:
        status = os.lstat(folder / path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return Entry(path=path, size=status.st_size, executable=bool(mode & stat.S_IXUSR))
    if stat.S_ISLNK(mode):
        return Entry(path=path, target=_inner_target(folder, path))
    return None


def _inner_target(folder: Path, path: str) -> str:
    link = folder / path
    target = link.readlink()
    if _is_circle(link):
        hint = "let it lead to a file, or name it in .takoignore"
        raise ConfigError(f"the link {path} -> {target} leads in a circle", hint=hint)
    root = Path(os.path.realpath(folder))
    reached = Path(os.path.realpath(link))
    if target.is_absolute() or not (reached == root or root in reached.parents):
        hint = "ship the file itself, make the link relative, or name it in .takoignore"
        raise ConfigError(f"the link {path} leads out of the project, to {target}", hint=hint)
    if any("\ud800" <= letter <= "\udfff" for letter in str(target)):
        raise ConfigError(f"the link {path} holds a name that is not UTF-8: {str(target)!r}", hint="rename the file")
    return str(target)


def _is_circle(link: Path) -> bool:
    try:
        link.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _spec(lines: Sequence[str], where: str) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise ConfigError(f"{where} has a pattern that cannot be read: {error}", hint="correct the pattern") from error


def _lines(file: Path) -> list[str]:
    kind = kind_of(file)
    if not kind:
        return []
    if kind != FILE_KIND:
        raise ConfigError(f"{file.name} is {kind}, not a file with patterns", hint=f"remove or rename {file}")
    try:
        return file.read_text(errors="surrogateescape").splitlines()
    except OSError as error:
        raise ConfigError(f"cannot read {file.name}: {error.strerror}", hint=f"look at {file}") from error
