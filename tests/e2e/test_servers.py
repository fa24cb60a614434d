"""`tako servers`: a machine becomes a server and is the same machine again afterwards, whatever happens in between."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.kit.commands import Ran
from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.projects import project

PICTURE = """
import grp, hashlib, os, pwd, stat, subprocess
apart = {"/proc", "/sys", "/dev", "/run", "/tmp", "/var/log", "/var/cache"}
apart |= {f"/var/lib/{name}" for name in ("apt", "dpkg", "systemd")}
apart |= {f"/etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")}
hashed = ("/etc/", "/usr/local/", "/opt/", "/home/", "/root/")
lines = []
for folder, names, leaves in os.walk("/"):
    names[:] = [name for name in names if os.path.join(folder, name) not in apart]
    for path in [os.path.join(folder, name) for name in (*names, *leaves)]:
        found = os.lstat(path)
        is_file = stat.S_ISREG(found.st_mode)
        detail = hashlib.sha256(open(path, "rb").read()).hexdigest() if is_file and path.startswith(hashed) else ""
        detail = os.readlink(path) if stat.S_ISLNK(found.st_mode) else detail
        size = "" if stat.S_ISDIR(found.st_mode) else found.st_size
        if path not in apart:
            lines.append(f"{path} {stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid} {size} {detail}")
print("\\n".join(sorted(lines)))
print(pwd.getpwall(), grp.getgrall(), sep="\\n")
for words in ("systemctl list-unit-files --no-pager", "systemctl list-units --all --plain --no-legend --type=service",
              "ss -Htlnp", "nft list ruleset"):
    print(subprocess.run(words.split(), capture_output=True, text=True).stdout)
"""
ANEW = re.compile(r"pid=\d+|(?<=systemd-private-)\S+")  # process ids, names of temporary folders
WAITING = re.compile(r"^LISTEN +\d+ ")  # Recv-Q of ss: a probe may be on its way


def picture(server: Container) -> list[str]:
    """Everything that must be the same before and after: files, users, groups, units, listeners, firewall."""
    return server.exec(["python3", "-c", PICTURE]).out.splitlines()


def booted_anew(lines: list[str]) -> list[str]:
    """A picture without what every boot makes anew."""
    return sorted(ANEW.sub("", line) for line in lines)


def outside(lines: list[str]) -> list[str]:
    """A picture without what a running server changes: its own data, and how many wait at a listener to be accepted."""
    return [WAITING.sub("LISTEN ", line) for line in lines if not line.startswith("/opt/tako/")]


@pytest.fixture
def desk(server: Container, tako_pyz: Path, tmp_path: Path) -> Desk:
    """The computer in front of the bare machine."""
    return Desk(tako_pyz, tmp_path, server.key)


@pytest.fixture
def before(server: Container) -> Iterator[list[str]]:
    """The machine's picture before the test; after it the machine must look the same."""
    seen = picture(server)
    yield seen
    assert picture(server) == seen


class Steps(msgspec.Struct, frozen=True):
    """The parts of the documents of `add` and `uninstall` that are read here."""

    steps: tuple[str, ...]
    applied: bool


def steps_of(done: Ran) -> tuple[str, ...]:
    assert done.code == 0, done.err
    return msgspec.json.decode(done.out, type=Steps).steps


@pytest.mark.usefixtures("before")
def test_there_and_back_with_an_app(desk: Desk, server: Container, tmp_path: Path) -> None:
    bare = picture(server)
    planned = steps_of(desk.add(server, "la", "--dry-run", "--json"))
    assert picture(server) == bare
    done = steps_of(desk.add(server, "la", "--json"))
    assert done == planned
    assert steps_of(desk.add(server, "la", "--json")) == ()
    assert "running, tako" in desk.tako("servers", "status", "la").out
    desk.deploy(project("shop", tmp_path / "shop"))
    assert "shop  running" in desk.tako("servers", "status", "la").out
    restarted = desk.tako("servers", "restart", "la", "--yes")
    assert "la runs again" in restarted.out, restarted.err
    refused = desk.tako("servers", "uninstall", "la", "--yes")
    assert refused.code == 1
    assert "apps are deployed there: shop" in refused.err
    full = outside(picture(server))
    removing = ("servers", "uninstall", "la", "--delete-apps", "--purge", "--json")
    planned = steps_of(desk.tako(*removing, "--dry-run"))
    assert any(step.startswith("remove the user tako-") for step in planned)
    assert outside(picture(server)) == full
    assert steps_of(desk.tako(*removing, "--yes")) == planned
    assert desk.tako("servers", "status", "la").code == 2


@pytest.mark.parametrize(
    "until", ["make the user tako ", "unpack it", "write /usr/local/bin/tako", "start tako.service"]
)
@pytest.mark.usefixtures("before")
def test_a_killed_run_is_completed_by_the_next(desk: Desk, server: Container, until: str) -> None:
    place = ["root@127.0.0.1", "--port", str(server.ssh_port), "--name", "la"]
    argv = desk.argv("servers", "add", *place, "--host-key", server.host_key_fingerprint, "--yes")
    with subprocess.Popen(argv, env=desk.env(), cwd=desk.root, stderr=subprocess.PIPE, text=True) as client:
        assert client.stderr is not None
        assert any(line.startswith(f"✓ {until}") for line in client.stderr), "the step came"
        client.send_signal(signal.SIGKILL)
    again = desk.add(server, "la")
    assert again.code == 0, again.err
    assert "la is a server" in again.out
    assert desk.tako("servers", "uninstall", "la", "--yes").code == 0


@pytest.mark.usefixtures("before")
def test_data_is_kept_in_the_trash(desk: Desk, server: Container, tmp_path: Path) -> None:
    assert desk.add(server, "la").code == 0
    desk.deploy(project("shop", tmp_path / "shop"))
    server.write("/opt/tako/apps/shop/shared/data/orders", "42")
    done = desk.tako("servers", "uninstall", "la", "--delete-apps", "--yes")
    assert done.code == 0, done.err
    assert "move the data of shop (2 bytes) to /opt/tako-trash/shop-" in done.err
    assert server.shell("cat /opt/tako-trash/shop-*/orders").out == "42"
    assert desk.add(server, "la").code == 0
    assert desk.tako("servers", "uninstall", "la", "--purge", "--yes").code == 0


@pytest.mark.usefixtures("before")
def test_the_login_for_deploys_can_do_nothing_else(desk: Desk, server: Container) -> None:
    assert desk.add(server, "la").code == 0
    ssh = ["ssh", "-i", str(server.key), "-p", str(server.ssh_port), "-o", "UserKnownHostsFile=/dev/null"]
    ssh += ["-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "tako@127.0.0.1"]
    said = subprocess.run([*ssh, "id"], input=b'{"command":"hello","protocol_version":3}\n', capture_output=True)
    assert b'"status":"ok"' in said.stdout
    assert b"uid=" not in said.stdout
    for words in (("restart", "la"), ("uninstall", "la")):
        refused = desk.tako("servers", *words, "--user", "tako", "--yes")
        assert refused.code == 1
        assert "is not root and cannot become it" in refused.err
    with subprocess.Popen(ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as busy:
        assert busy.stdin is not None
        assert busy.stdout is not None
        busy.stdin.write(b'{"command":"hello","protocol_version":3}\n')
        busy.stdin.flush()
        assert b"ok" in busy.stdout.readline(), "somebody is logged in as tako"
        removed = desk.tako("servers", "uninstall", "la", "--yes")
        assert removed.code == 0, removed.err


@pytest.mark.usefixtures("before")
def test_a_taken_port_names_its_holder(desk: Desk, server: Container) -> None:
    unit = "[Service]\nExecStart=/usr/bin/python3 -m http.server 80\n"
    server.write("/run/systemd/system/squatter.service", unit)
    server.shell(
        "systemctl daemon-reload; systemctl start squatter; while ! ss -Hltn | grep -q :80; do sleep 0.1; done"
    )
    refused = desk.add(server, "la")
    server.shell("systemctl stop squatter; rm /run/systemd/system/squatter.service; systemctl daemon-reload")
    assert refused.code == 1
    assert "port 80 is taken by python3 (pid " in refused.err
    assert "systemctl disable --now squatter.service" in refused.err


def test_a_user_with_sudo_and_a_reboot(desk: Desk, server: Container) -> None:
    server.shell(
        "useradd --create-home --shell /bin/sh ops; usermod --password '*' ops; mkdir /home/ops/.ssh;"
        "cp /root/.ssh/authorized_keys /home/ops/.ssh/; chown -R ops /home/ops/.ssh;"
        "echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops"
    )
    bare = picture(server)
    place = ["ops@127.0.0.1", "--port", str(server.ssh_port), "--name", "la"]
    added = desk.tako("servers", "add", *place, "--host-key", server.host_key_fingerprint, "--yes")
    assert added.code == 0, added.err
    server.kill()
    server.restart()
    assert "running, tako" in desk.tako("servers", "status", "la").out
    removed = desk.tako("servers", "uninstall", "la", "--yes")
    assert removed.code == 0, removed.err
    assert booted_anew(picture(server)) == booted_anew(bare)
