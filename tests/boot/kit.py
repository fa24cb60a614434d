"""Starting the file in surroundings that a test describes."""

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

NOBODY = 65534
PYTHON = os.path.realpath(sys.executable)  # not the virtual environment's: a server has none


@dataclass(frozen=True, slots=True)
class Archive:
    """The file, and what its stamp says."""

    path: Path

    @property
    def build(self) -> str:
        """Its build, as its stamp has it."""
        with zipfile.ZipFile(self.path) as outer:
            stamp = outer.read("_bootstrap/stamp.py").decode()
        return next(line.split('"')[1] for line in stamp.splitlines() if line.startswith("BUILD"))

    def members(self) -> list[str]:
        """Every file of the runtime."""
        names: list[str] = []
        with zipfile.ZipFile(self.path) as outer:
            for member in (name for name in outer.namelist() if name.startswith("site-packages/")):
                with outer.open(member) as nested, zipfile.ZipFile(nested) as inner:
                    names += inner.namelist()
        return names

    def copy(self, to: Path, *, change: dict[str, tuple[bytes, bytes]] | None = None) -> "Archive":
        """Copy the file, replacing bytes in some of the outer entries."""
        if change is None:
            shutil.copy(self.path, to)
        else:
            self._rewrite(to, change)
        to.chmod(0o755)
        return Archive(to)

    def _rewrite(self, to: Path, change: dict[str, tuple[bytes, bytes]]) -> None:
        with zipfile.ZipFile(self.path) as old, zipfile.ZipFile(to, "w") as new:
            for entry in old.infolist():
                before, after = change.get(entry.filename, (b"", b""))
                data = old.read(entry)
                new.writestr(entry, data.replace(before, after) if before else data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One way to start it; env: nothing is inherited but PATH."""

    archive: Archive
    env: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ("-IS",)
    python: str = PYTHON
    user: int | None = None
    cwd: Path | None = None
    umask: int = 0o022

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Start it and wait for its end."""
        return subprocess.run(
            [self.python, *self.flags, str(self.archive.path), *arguments],
            env={"PATH": "/usr/bin:/bin", **self.env},
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            cwd=self.cwd or "/",
            umask=self.umask,
            capture_output=True,
            text=True,
            timeout=60,
        )
