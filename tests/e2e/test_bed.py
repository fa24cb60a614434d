"""The bed itself: what the other end-to-end tests take for granted."""

import subprocess
from pathlib import Path

from tests.kit import outside
from tests.kit.bed import Bed
from tests.kit.container import ABSENT, Container


def ssh(server: Container, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command over SSH as a user would, with the host key pinned."""
    known = folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.ssh_port} {server.host_key}\n")
    options = [
        "-F",
        "none",
        "-o",
        f"UserKnownHostsFile={known}",
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=yes",
    ]
    place = ["-i", str(server.key), "-p", str(server.ssh_port), "root@127.0.0.1"]
    return subprocess.run(["ssh", *options, *place, *words], capture_output=True, text=True, timeout=30)


def test_server_is_bare(server: Container) -> None:
    """No tool of ours or of an app's is there to lean on."""
    assert server.found_of(ABSENT) == []
    assert server.exec(["python3", "-c", "import sys; print(*sys.version_info[:2])"]).out == "3 11\n"


def test_ssh_with_a_pinned_key(server: Container, tmp_path: Path) -> None:
    """The fingerprint is what ssh-keygen prints, and settings from outside reach SSH sessions."""
    done = ssh(server, tmp_path, "env")
    assert done.returncode == 0, done.stderr
    variables = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert {name: variables.get(name) for name in outside.look().env} == outside.look().env
    listed = server.exec(["ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub"]).out
    assert server.host_key_fingerprint in listed


def test_low_ports_are_low(server: Container) -> None:
    """Only root, or who got the right, binds port 80."""
    bind = "import socket; socket.socket().bind(('0.0.0.0', 80))"
    assert "PermissionError" in server.exec(["python3", "-c", bind], user="nobody", check=False).err
    assert server.exec(["python3", "-c", bind]).code == 0


def test_power_cut_and_reboot(server: Container, tmp_path: Path) -> None:
    """Disk, ports and host key outlive both; /run does not."""
    for cut in (False, True):
        server.write("/var/lib/kept", "kept")
        server.write("/run/lost", "lost")
        if cut:
            server.kill()
        server.restart()
        assert server.exec(["cat", "/var/lib/kept"]).out == "kept"
        assert server.exec(["cat", "/run/lost"], check=False).code != 0
        assert ssh(server, tmp_path, "true").returncode == 0


def test_units_with_limits_run(server: Container) -> None:
    """systemd has a cgroup tree of its own, so a delegated unit works and `exec` still does afterwards."""
    server.shell("systemd-run --wait --property=Delegate=yes --property=MemoryMax=64M --property=CPUWeight=50 true")
    assert server.exec(["true"]).code == 0


def test_packages_can_be_fetched(server: Container) -> None:
    """The way out works, with the machine's own settings: a deploy installs an app's requirements there."""
    server.shell("apt-get -q update && apt-get install -q -y --no-install-recommends python3-pip", timeout=240)
    server.shell("python3 -m pip download -q --no-deps --dest /tmp/fetched six==1.16.0 && ls /tmp/fetched", timeout=120)


def test_two_servers_at_once(bed: Bed) -> None:
    """Names, ports and host keys differ."""
    with bed.container() as one, bed.container() as other:
        assert {one.ssh_port, one.http_port, one.https_port}.isdisjoint(
            {other.ssh_port, other.http_port, other.https_port}
        )
        assert one.host_key != other.host_key
