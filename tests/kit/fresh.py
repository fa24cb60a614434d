"""A fresh Debian with Python and curl and nothing else, entered by chroot in namespaces of its own.

    with fresh_machine(tmp_path) as machine:
        machine.play("echo hello > /root/said", seconds=10)

The network is this machine's. When a script ends, every process that it started ends with it.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import outside, rootfs
from .engine import Engine, as_root, default_folder

__all__ = ["Fresh", "fresh_machine"]

RECIPE = rootfs.Recipe(
    kind="fresh", packages=("python3", "curl", "ca-certificates"), tailor='rm -f "$1"/var/cache/apt/archives/*.deb'
)
NETWORK = ("/etc/resolv.conf", "/etc/hosts")
ENTER = """\
set -eu
root=$1
shift
while [ "$1" != -- ]; do mkdir -p "$root$1"; mount --bind -o ro "$1" "$root$1"; shift; done
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
shift
exec chroot "$root" "$@"
"""


@dataclass(frozen=True, slots=True)
class Fresh:
    """The machine: its root folder, and the variables that tell where packages come from."""

    root: Path
    settings: outside.Outside

    def play(self, script: str, *, seconds: float) -> None:
        """Run a shell script as root in it; raises CalledProcessError and TimeoutExpired."""
        env = {
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }
        words = [f"{name}={value}" for name, value in {**env, **self.settings.env}.items()]
        spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        enter = [*spaces, "sh", "-c", ENTER, "enter", str(self.root), *self.settings.mounts, "--"]
        argv = [*as_root(enter), "env", "-i", *words, "sh", "-c", script]
        subprocess.run(argv, check=True, timeout=seconds, stdin=subprocess.DEVNULL)

    def unpack(self, files: Mapping[str, bytes]) -> None:
        """Write files by their absolute path."""
        argv = as_root(["tar", "-C", str(self.root), "-xf", "-"])
        subprocess.run(argv, input=outside.archive(files), check=True)


@contextmanager
def fresh_machine(folder: Path) -> Iterator[Fresh]:
    """Unpack one below `folder`, and remove it at the end."""
    bed = Engine(default_folder())
    with bed.locked():
        archive = rootfs.ensure(bed.folder, RECIPE)
    made = Fresh(folder / "machine", outside.look())
    made.root.mkdir()
    try:
        rootfs.command(["tar", "--numeric-owner", "-C", str(made.root), "-xf", str(archive)])
        network = {path: Path(path).read_bytes() for path in NETWORK}
        made.unpack({**made.settings.files, **network})
        yield made
    finally:
        rootfs.command(["rm", "-rf", "--one-file-system", str(made.root)])
