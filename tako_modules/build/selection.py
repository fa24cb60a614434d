"""Put together what is shipped, and tell whether that is just what the commit says."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tako_modules.base.files import disk_errors, file_digest
from tako_modules.workspace.project import FILE

from .git import Repository
from .source import Entry, Rules, ignored_by_files, read_entries
from .tree import Tree

__all__ = ["Shipment"]


@dataclass(frozen=True, slots=True)
class Shipment:
    """A project after its build.

    tree: the files that are there; made: those that this build made or changed; repository: None without git.
    """

    folder: Path
    tree: Tree
    made: tuple[str, ...]
    repository: Repository | None
    rules: Rules

    @property
    def commit(self) -> str:
        """The commit's short name; "" without one."""
        return self.repository.commit if self.repository else ""

    def outputs(self, recorded: Mapping[str, str]) -> dict[str, str]:
        """Join what this build made with what earlier ones made and is still there: path → SHA-256 when made."""
        kept = {path: digest for path, digest in recorded.items() if path in self.tree.files}
        return {**kept, **{path: self._digest(path) for path in self.made if self.rules.ships(path)}}

    def entries(self, outputs: Mapping[str, str]) -> tuple[Entry, ...]:
        """Choose all files to ship."""
        paths = {*self._sources(), *outputs, *(path for path in self.tree.files if self.rules.takes(path))}
        return read_entries(self.folder, (path for path in paths if self.rules.ships(path)))

    def left_out(self) -> tuple[str, ...]:
        """Say what stands among the files to ship, but is none: pipes, sockets, devices."""
        ignored = ignored_by_files(self.folder, self.tree.others)
        return tuple(
            f"{path} is {kind}, which is not shipped"
            for path, kind in sorted(self.tree.others.items())
            if path not in ignored and self.rules.ships(path)
        )

    def is_clean(self, outputs: Mapping[str, str], entries: Sequence[Entry]) -> bool:
        """Tell whether all that is shipped is in the commit, or was made of it by the build, and tako.toml is too."""
        if self.repository is None or not self.repository.commit:
            return False
        known = {*self.repository.files, *outputs}
        suspects = {path for path in self.repository.changed if self.rules.ships(path) or path == FILE}
        suspects |= {entry.path for entry in entries if entry.path not in known}
        return all(self._is_output(path, outputs, self.repository.tracked) for path in suspects)

    def _is_output(self, path: str, outputs: Mapping[str, str], tracked: frozenset[str]) -> bool:
        return path not in tracked and path in self.tree.files and outputs.get(path) == self._digest(path)

    def _sources(self) -> Iterable[str]:
        if self.repository is None:
            return self.tree.files.keys() - ignored_by_files(self.folder, self.tree.files)
        nested = tuple(path for path in self.repository.files if path.endswith("/"))  # repositories of their own
        below = {path for path in self.tree.files if nested and path.startswith(nested)}
        return below.union(self.repository.files)

    def _digest(self, path: str) -> str:
        file = self.folder / path
        with disk_errors(f"read {path}"):
            if file.is_symlink():
                return hashlib.sha256(os.fsencode(file.readlink())).hexdigest()
            return file_digest(file)
