"""The bed's image: a bare Debian server with systemd and sshd, by debootstrap, kept by the digest of its recipe."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .engine import SEARCH, BedError, Engine, as_root

__all__ = ["ensure"]

SUITE = "bookworm"
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3",
    "ca-certificates", "iproute2", "procps", "sudo", "nftables",
)  # fmt: skip
MIRROR = "http://deb.debian.org/debian"  # where the machine's own apt names no other
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer")
SSH_KEYS = """\
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
"""  # each container makes its own host keys, as each server does
TAILOR = f"""\
set -eu
cd "$1"
rm -f etc/ssh/ssh_host_* var/cache/apt/archives/*.deb
: > etc/machine-id
mkdir -p etc/systemd/system/ssh.service.d root/.ssh
chmod 700 root/.ssh
printf '%s' '{SSH_KEYS}' > etc/systemd/system/ssh.service.d/keys.conf
for unit in {" ".join(MASKED)}; do ln -sf /dev/null etc/systemd/system/$unit; done
"""
BUILD_SECONDS = 900  # on a slow mirror; one minute here


def ensure(engine: Engine) -> str:
    """Give the image's name, made when the engine lacks it. The caller holds the engine's lock."""
    recipe = "\n".join([SUITE, *PACKAGES, TAILOR])
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    name = f"tako-bed:{digest}"
    if engine.docker("image", "inspect", name, check=False).returncode == 0:
        return name
    archive = engine.folder / f"rootfs-{digest}.tar"
    if not archive.exists():
        _build(engine.folder, archive)
    engine.docker("import", str(archive), name, timeout=BUILD_SECONDS)
    return name


def _build(folder: Path, archive: Path) -> None:
    """Make the root file system and pack it; an older recipe's archive goes."""
    rootfs = folder / "rootfs"
    unfinished = archive.with_suffix(".unfinished")
    _command(["rm", "-rf", str(rootfs)])
    include = f"--include={','.join(PACKAGES)}"
    _command(["debootstrap", "--variant=minbase", include, SUITE, str(rootfs), _mirror()])
    _command(["sh", "-c", TAILOR, "tailor", str(rootfs)])
    _command(["tar", "--numeric-owner", "-C", str(rootfs), "-cf", str(unfinished), "."])
    _command(["rm", "-rf", str(rootfs)])
    for older in folder.glob("rootfs-*.tar"):
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


def _command(argv: Sequence[str]) -> None:
    env = {**os.environ, "PATH": SEARCH, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(as_root(argv), capture_output=True, env=env, timeout=BUILD_SECONDS)
    if done.returncode:
        raise BedError(f"{argv[0]} failed: {(done.stdout + done.stderr).decode(errors='replace')[-2000:]}")
