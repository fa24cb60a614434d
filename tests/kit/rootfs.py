"""Root file systems by debootstrap, each kept as an archive that is named by the digest of its recipe."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .engine import SEARCH, BedError, as_root

__all__ = ["BUILD_SECONDS", "Recipe", "command", "ensure"]

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"  # where the machine's own apt names no other
BUILD_SECONDS = 900  # on a slow mirror; one minute here


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is in it; kind: the first word of its archive's name; tailor: a script that gets the folder as `$1`."""

    kind: str
    packages: tuple[str, ...]
    tailor: str

    @property
    def digest(self) -> str:
        """Name this recipe: another digest, another archive."""
        text = "\n".join([SUITE, *self.packages, self.tailor])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def ensure(folder: Path, recipe: Recipe) -> Path:
    """Give the archive of a recipe, made when it is not there. The caller holds the lock of the bed's folder."""
    archive = folder / f"{recipe.kind}-{recipe.digest}.tar"
    if not archive.exists():
        _build(folder, recipe, archive)
    return archive


def command(argv: Sequence[str]) -> None:
    """Run a command as root; raises BedError with its output when it fails."""
    env = {**os.environ, "PATH": SEARCH, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(as_root(argv), capture_output=True, env=env, timeout=BUILD_SECONDS)
    if done.returncode:
        raise BedError(f"{argv[0]} failed: {(done.stdout + done.stderr).decode(errors='replace')[-2000:]}")


def _build(folder: Path, recipe: Recipe, archive: Path) -> None:
    """Make the root file system and pack it; an older recipe's archive goes."""
    tree = folder / recipe.kind
    unfinished = archive.with_suffix(".unfinished")
    command(["rm", "-rf", str(tree)])
    include = f"--include={','.join(recipe.packages)}"
    command(["debootstrap", "--variant=minbase", include, SUITE, str(tree), _mirror()])
    command(["sh", "-c", recipe.tailor, "tailor", str(tree)])
    command(["tar", "--numeric-owner", "-C", str(tree), "-cf", str(unfinished), "."])
    command(["rm", "-rf", str(tree)])
    for older in folder.glob(f"{recipe.kind}-*.tar"):
        older.unlink()
    unfinished.rename(archive)


def _mirror() -> str:
    """Give the mirror that the machine's own apt uses for this suite."""
    if shutil.which("apt-get") is None:
        return MIRROR
    argv = ["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(argv, capture_output=True, text=True).stdout
    found = re.search(rf"^{SUITE} main (https?://\S+?)/?$", listed, re.MULTILINE)
    return found.group(1) if found else MIRROR
