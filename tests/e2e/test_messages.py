"""Whatever goes wrong is told in words: what happened, why, and the command to type next."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.bed import Bed
from tests.kit.commands import Ran
from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.projects import project
from tests.kit.spoken import assert_spoken

FAILED, USAGE, UNREACHABLE = 1, 2, 4
DISK = "320M"  # of /opt/tako: the server itself takes 60 MiB
LISTEN = "import socket, time\nheld = socket.create_server(('0.0.0.0', 80))\ntime.sleep(600)"


@pytest.fixture(scope="module")
def machine(bed: Bed) -> Iterator[Container]:
    """A machine whose data folder is a small disk of its own."""
    with bed.container() as made:
        made.shell(f"mkdir /opt/tako && mount -t tmpfs -o size={DISK},mode=755 tmpfs /opt/tako")
        yield made


@pytest.fixture
def alone(tako_pyz: Path, tmp_path: Path) -> Desk:
    """A computer that knows no server."""
    return Desk(tako_pyz, tmp_path, tmp_path / "key")


def test_no_tako_toml(alone: Desk) -> None:
    assert_spoken(alone.tako("deploy", "--yes"), USAGE, "tako.toml", "tako init")


def test_no_server(alone: Desk) -> None:
    folder = project("shop", alone.root / "shop", servers=())
    assert_spoken(alone.tako("deploy", "--yes", cwd=folder), USAGE, "server", "tako servers add")


def test_an_unknown_server(alone: Desk) -> None:
    folder = project("shop", alone.root / "shop", servers=("nowhere",))
    assert_spoken(alone.tako("deploy", "--yes", cwd=folder), USAGE, "nowhere", "tako servers add")


def test_no_route(alone: Desk) -> None:
    folder = project("shop", alone.root / "shop", servers=("local",))
    text = (folder / "tako.toml").read_text().replace('route = "shop.bed.test"', "")
    (folder / "tako.toml").write_text(text)
    assert_spoken(alone.tako("deploy", "--yes", cwd=folder), USAGE, "envs.production", "route")


def test_an_unknown_key(alone: Desk) -> None:
    folder = project("shop", alone.root / "shop", top="instance = 2", servers=("local",))
    assert_spoken(alone.tako("deploy", "--yes", cwd=folder), USAGE, "tako.toml:4", "instance", "unknown key")


@pytest.mark.parametrize("content", [None, "not a key\n"], ids=["missing", "garbage"])
def test_a_key_file_that_cannot_be_read(content: str | None, alone: Desk, machine: Container) -> None:
    if content is not None:
        alone.key.write_text(content)
    alone.know("la", "127.0.0.1", machine.ssh_port, machine.host_key)
    folder = project("shop", alone.root / "shop")
    assert_spoken(alone.tako("deploy", "--yes", cwd=folder), FAILED, str(alone.key), "TAKO_SSH_KEY")


def test_a_key_file_of_somebody_else(desk: Desk, machine: Container, tmp_path: Path) -> None:
    machine.copy_in(project("shop", tmp_path / "shop"), "/srv/shop")
    machine.copy_in(desk.pyz, "/srv/tako.pyz", mode=0o755)
    machine.write("/srv/key", b"", mode=0o000)
    machine.write("/srv/home/config.toml", b'[[servers]]\nname = "la"\nhost = "127.0.0.1"\n')
    machine.write("/srv/home/known_hosts", f"127.0.0.1 {machine.host_key}\n".encode())
    machine.shell("chown -R nobody /srv/shop /srv/home")
    environment = ["env", "HOME=/srv/home", "TAKO_HOME=/srv/home", "TAKO_SSH_KEY=/srv/key", "XDG_CACHE_HOME=/tmp"]
    words = [*environment, "sh", "-c", "cd /srv/shop && exec python3 -IS /srv/tako.pyz deploy --yes"]
    done = machine.exec(words, user="nobody", check=False)
    assert_spoken(Ran(done.code, done.out, done.err), FAILED, "/srv/key", "Permission denied")


def test_a_key_that_does_not_fit(alone: Desk, machine: Container) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(alone.key)], check=True)
    alone.know("la", "127.0.0.1", machine.ssh_port, machine.host_key)
    folder = project("shop", alone.root / "shop")
    assert_spoken(alone.tako("deploy", "--yes", cwd=folder), UNREACHABLE, "TAKO_SSH_KEY")


def test_a_changed_host_key(alone: Desk, desk: Desk, machine: Container) -> None:
    shutil.copy(machine.key, alone.key)
    other = (machine.key.with_suffix(".pub")).read_text().split()
    alone.know("la", "127.0.0.1", machine.ssh_port, " ".join(other[:2]))
    folder = project("shop", alone.root / "shop")
    known = alone.home / "known_hosts"
    assert_spoken(alone.tako("deploy", "--yes", cwd=folder), UNREACHABLE, f"{known}:1", machine.host_key_fingerprint)


def test_an_unknown_host_key(alone: Desk, desk: Desk, machine: Container) -> None:
    shutil.copy(machine.key, alone.key)
    alone.know("la", "127.0.0.1", machine.ssh_port)
    folder = project("shop", alone.root / "shop")
    done = alone.tako("deploy", "--yes", cwd=folder)
    assert_spoken(done, UNREACHABLE, machine.host_key_fingerprint, "--host-key")


def test_a_taken_route(desk: Desk, tmp_path: Path) -> None:
    desk.deploy(project("holder", tmp_path / "holder", host="taken.bed.test"))
    folder = project("other", tmp_path / "other", host="taken.bed.test")
    assert_spoken(desk.tako("deploy", "--yes", cwd=folder), FAILED, "taken.bed.test", "holder", "tako.toml")


def test_a_full_disk(desk: Desk, machine: Container, tmp_path: Path) -> None:
    folder = project("large", tmp_path / "large")
    for left, word in ((0, "the disk of /opt/tako is full"), (60 << 20, "are required under /opt/tako")):
        free = int(machine.exec(["stat", "-f", "-c", "%a", "/opt/tako"]).out) * 4096
        machine.exec(["fallocate", "-l", str(free - left), "/opt/tako/filler"])
        done = desk.tako("deploy", "--yes", cwd=folder)
        machine.shell("rm /opt/tako/filler")
        assert_spoken(done, FAILED, word, "df -h /opt/tako")
        assert "large" not in machine.exec(["ls", "/opt/tako/apps"], check=False).out.split()
    desk.deploy(folder)


def test_port_80_in_use(server: Container, tako_pyz: Path, tmp_path: Path) -> None:
    server.engine.docker("exec", "--detach", server.name, "python3", "-c", LISTEN)
    before = server.exec(["ls", "-A", "/opt", "/etc/systemd/system", "/home", "/usr/local/bin"]).out
    done = Desk(tako_pyz, tmp_path, server.key).add(server, "la")
    assert_spoken(done, FAILED, "80", "python3")
    assert server.exec(["ls", "-A", "/opt", "/etc/systemd/system", "/home", "/usr/local/bin"]).out == before
