"""What the tests need of a machine, from Debian's packages: only what is missing, and no service is started."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .trouble import Trouble

__all__ = ["BASE", "BED", "BENCH", "install", "packages_for"]

SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # sbin is not on everybody's PATH
POLICY = Path("/usr/sbin/policy-rc.d")  # Debian asks it before a package starts its service
SERVICES = {
    "openssh-server": ("ssh.service", "ssh.socket"),
    "docker.io": ("docker.service", "docker.socket", "containerd.service"),
    "nginx-light": ("nginx.service",),
    "haproxy": ("haproxy.service",),
}  # not to come up at the next boot either

BASE = {
    "git": "git",
    "curl": "curl",
    "openssl": "openssl",
    "strip": "binutils",
    "tar": "tar",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
}
"""Program → package: what every phase may use."""

BED = {
    "dockerd": "docker.io",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "nginx": "nginx-light",
    "wrk": "wrk",
    "h2load": "nghttp2-client",
}
"""Program → package: the bed's containers, and the peers of end-to-end tests."""

BENCH = {"haproxy": "haproxy", "caddy": "caddy"}
"""Program → package: what benchmarks measure against."""


def packages_for(tools: dict[str, str], path: str | None = None) -> list[str]:
    """Name the packages of the programs that this machine lacks, looked for on PATH and where root's programs lie."""
    path = f"{os.environ.get('PATH', '')}:{SEARCH}" if path is None else path
    return sorted({package for program, package in tools.items() if shutil.which(program, path=path) is None})


def install(packages: Sequence[str]) -> None:
    """Install Debian packages as root or by sudo; their services stay down.

    Raises Trouble where that is not possible.
    """
    if not packages:
        return
    if shutil.which("apt-get", path=SEARCH) is None:
        raise Trouble(f"missing: {' '.join(packages)} (Debian's package names)", hint="install them and run this again")
    root = _root()
    print(f"tests: installing {' '.join(packages)}", flush=True)
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    with _no_service_starts(root):
        _run([*apt, "update"])
        _run([*apt, "install", "--no-install-recommends", *packages])
    services = [service for package in packages for service in SERVICES.get(package, ())]
    if services and Path("/run/systemd/system").is_dir():
        _run([*root, "systemctl", "disable", *services])


def _root() -> list[str]:
    """Give the words before a command that needs root."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise Trouble("packages are missing and this is neither root nor a machine with sudo", hint="run it as root")
    return ["sudo"]


@contextmanager
def _no_service_starts(root: list[str]) -> Iterator[None]:
    """Keep packages from starting their services: the tests start their own, on their own ports."""
    if POLICY.exists():
        yield
        return
    text = b"#!/bin/sh\nexit 101\n"
    subprocess.run([*root, "tee", str(POLICY)], input=text, stdout=subprocess.DEVNULL, check=True)
    try:
        _run([*root, "chmod", "755", str(POLICY)])
        yield
    finally:
        _run([*root, "rm", "-f", str(POLICY)])


def _run(argv: Sequence[str]) -> None:
    code = subprocess.run(argv, stdin=subprocess.DEVNULL).returncode
    if code:
        raise Trouble(f"`{' '.join(argv)}` ended with {code}", hint="read its output above")
