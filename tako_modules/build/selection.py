"""Put together what is shipped, and tell whether that is just what the commit says."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tako_modules.base.errors import ConfigError
from tako_modules.runtimes.recipe import Need

from .git import Repository
from .outputs import Built, output_digest
from .source import Entry, Rules, ignored_by_files, read_entries

__all__ = ["Shipment"]


@dataclass(frozen=True, slots=True)
class Shipment:
    """A project after its build; repository: None without git.

    config: the file that the settings come from, relative to the folder; "" where there is none.
    """

    folder: Path
    built: Built
    repository: Repository | None
    rules: Rules
    config: str = ""

    @property
    def commit(self) -> str:
        """The commit's short name; "" without one."""
        return self.repository.commit if self.repository else ""

    def entries(self) -> tuple[Entry, ...]:
        """Choose all files to ship."""
        files = self.built.tree.files
        paths = {*self._sources(), *self.built.outputs, *(path for path in files if self.rules.takes(path))}
        return read_entries(self.folder, (path for path in paths if self.rules.ships(path)))

    def check_shipped(self, need: Need, entries: Sequence[Entry]) -> None:
        """Raise ConfigError when something is here that the app needs, and is not shipped."""
        paths = {entry.path for entry in entries}
        links, real = _way(self.folder, need.path)
        if links <= paths and _below(real, paths):
            return
        if any(map(self.rules.ships, _below(str(PurePosixPath(need.path)), self.built.tree.files))):
            why = "git ignores it, and the build did not make it"
            hint = f'add to tako.toml: include = ["{need.glob}"]'
        else:
            why = "exclude, .takoignore or the list of what is never shipped leaves it out"
            hint = "change exclude in tako.toml or .takoignore, or give it another name"
        raise ConfigError(f"the app needs {need.path}, which is there but is not shipped: {why}", hint=hint)

    def left_out(self) -> tuple[str, ...]:
        """Say what stands among the files to ship, but is none: pipes, sockets, devices."""
        ignored = ignored_by_files(self.folder, self.built.tree.others)
        return tuple(
            f"{path} is {kind}, which is not shipped"
            for path, kind in sorted(self.built.tree.others.items())
            if path not in ignored and self.rules.ships(path)
        )

    def is_clean(self, entries: Sequence[Entry]) -> bool:
        """Tell whether the settings and all that is shipped are in the commit, or were made of it by the build."""
        if self.repository is None or not self.repository.commit or not self._has_settings(self.repository):
            return False
        known = {*self.repository.files, *self.built.outputs}
        suspects = {path for path in self.repository.changed if self.rules.ships(path)}
        suspects |= {entry.path for entry in entries if entry.path not in known}
        return all(self._is_output(path, self.repository.tracked) for path in suspects)

    def _has_settings(self, repository: Repository) -> bool:
        """Tell whether the commit has the file with the settings as it is now, and the file that it may link to."""
        if not self.config:
            return True
        links, real = _way(self.folder, self.config)
        return {real, *links} <= repository.tracked and not {real, *links} & set(repository.changed)

    def _is_output(self, path: str, tracked: frozenset[str]) -> bool:
        if path in tracked or path not in self.built.tree.files:
            return False
        return self.built.outputs.get(path) == output_digest(self.folder, path)

    def _sources(self) -> Iterable[str]:
        if self.repository is None:
            return self.built.tree.files.keys() - ignored_by_files(self.folder, self.built.tree.files)
        nested = tuple(path for path in self.repository.files if path.endswith("/"))  # repositories of their own
        below = {path for path in self.built.tree.files if nested and path.startswith(nested)}
        return below.union(self.repository.files)


def _way(folder: Path, path: str) -> tuple[set[str], str]:
    """Give the links that a path goes through, and the path that it leads to, both relative to the folder."""
    whole = PurePosixPath(path)
    links = {str(one) for one in (whole, *whole.parents) if (folder / one).is_symlink() and one.name}
    return links, os.path.relpath(os.path.realpath(folder / path), os.path.realpath(folder))


def _below(path: str, paths: Iterable[str]) -> list[str]:
    """List a path itself and what is below it; "." is above all."""
    return [one for one in paths if path == "." or one == path or one.startswith(f"{path}/")]
