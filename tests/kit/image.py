"""The bed's image: a bare Debian server with systemd and sshd, by debootstrap."""

from . import rootfs
from .engine import Engine

__all__ = ["ensure"]

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3",
    "ca-certificates", "iproute2", "procps", "sudo", "nftables",
)  # fmt: skip
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


def ensure(engine: Engine) -> str:
    """Give the image's name, made when the engine lacks it. The caller holds the engine's lock."""
    recipe = rootfs.Recipe(kind="rootfs", packages=PACKAGES, tailor=TAILOR)
    name = f"tako-bed:{recipe.digest}"
    if engine.docker("image", "inspect", name, check=False).returncode == 0:
        return name
    engine.docker("import", str(rootfs.ensure(engine.folder, recipe)), name, timeout=rootfs.BUILD_SECONDS)
    return name
