"""The verbs of `servers` as far as they need no server: the inventory, and what is refused beforehand."""

from pathlib import Path

import anyio
import msgspec
import pytest

from tako_modules.base.errors import Unreachable
from tako_modules.base.paths import Home
from tako_modules.cli import access, guard
from tako_modules.cli.console import console
from tako_modules.cli.options import Options
from tako_modules.cli.verbs import servers_add
from tako_modules.model.server import Server
from tako_modules.workspace.inventory import read_servers
from tests.kit.documents import checked
from tests.ssh.sshd import free_port

from .scripted import scripted

UNREACHABLE, PARTLY = 4, 6

HOST = "203.0.113.7"
INVENTORY = """\
# my machines
[[servers]]
name = "la"
host = "203.0.113.7"
admin = "root"
arch = "x86_64"
python = "3.11.2"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TAKO_HOME with one server."""
    monkeypatch.setenv("TAKO_HOME", str(tmp_path))
    monkeypatch.delenv("TAKO_SERVERS", raising=False)
    monkeypatch.delenv("TAKO_PYZ", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    (tmp_path / "config.toml").write_text(INVENTORY)
    return tmp_path


@pytest.mark.usefixtures("home")
def test_ls_lists_yours_and_the_built_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.run(["servers", "ls"]) == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [["la", "tako@203.0.113.7:22"], ["local", "local"]]


@pytest.mark.usefixtures("home")
def test_ls_as_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.run(["servers", "ls", "--json"]) == 0
    document = msgspec.json.decode(capsys.readouterr().out)
    assert document["schema"] == "tako.servers.ls/1"
    assert [server["name"] for server in document["servers"]] == ["la", "local"]


def test_rm_forgets_and_keeps_what_is_written_beside(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.run(["servers", "rm", "la"]) == 0
    assert (home / "config.toml").read_text() == "# my machines\n"
    assert "tako servers add root@203.0.113.7 --name la" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        pytest.param(["rm", "nosuch"], 2, "no server nosuch", "choose one of la, local", id="rm: unknown"),
        pytest.param(["rm", "local"], 2, "built-in", "uninstall local", id="rm: built-in"),
        pytest.param(["status", "nosuch"], 2, "no server nosuch", "servers add", id="status: unknown"),
        pytest.param(["upgrade", "la"], 2, "later version", "uninstall", id="upgrade"),
        pytest.param(["restart", "la"], 2, "Restart la and every app on it?", "--yes", id="restart: nobody to ask"),
        pytest.param(["add", "root@h", "--name", "LA!"], 2, "'LA!' is not a name", "--name la", id="add: name"),
        pytest.param(["add", "root@h", "--name", "local"], 2, "local is built in", "--name la", id="add: built-in"),
        pytest.param(["add", "root@h", "--name", "env"], 2, "no server may be called env", "--name la", id="add: env"),
        pytest.param(["add", "h", "--name", "instances"], 2, "no server may", "--name la", id="add: instances"),
        pytest.param(["add", "h", "--name", "idle_timeout"], 2, "no server may", "--name la", id="add: idle_timeout"),
        pytest.param(
            ["add", "h.invalid", "--name", "la"], 2, "la is taken by tako@203", "--name", id="add: name taken"
        ),
        pytest.param(["add", "la.invalid"], 2, "la is taken by tako@203", "--name", id="add: made name taken"),
        pytest.param(["add", HOST, "--name", "fra"], 2, "already called la: tako@", "rm la", id="add: host"),
        pytest.param(["add", HOST, "--port", "23"], 2, "already called la: tako@", "rm la", id="add: other port"),
        pytest.param(["add", "root@h", "--port", "x"], 2, "'x' is not a valid whole number", "--help", id="add: port"),
        pytest.param(["add", ""], 2, "'' is not a host", "root@203.0.113.7", id="add: empty"),
        pytest.param(["add", "a b"], 2, "'a b' is not a host", "root@203.0.113.7", id="add: blank"),
        pytest.param(["add", "--", "-x"], 2, "'-x' is not a host", "root@203.0.113.7", id="add: an option"),
        pytest.param(["add", "-x@h"], 2, "No such option", "--help", id="add: an unknown option"),
        pytest.param(["add", "--", "-x@h"], 2, "'-x' is not a login", "root@203.0.113.7", id="add: login"),
        pytest.param(["add"], 2, "Missing argument", "servers add --help", id="add: no address"),
    ],
)
@pytest.mark.usefixtures("home")
def test_what_is_refused(
    words: list[str], code: int, message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guard.run(["servers", *words]) == code
    told = capsys.readouterr().err
    assert message in told
    assert hint in told


@pytest.mark.usefixtures("home")
def test_a_variable_instead_of_an_inventory_is_told_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAKO_SERVERS", "la=tako@203.0.113.7")
    assert guard.run(["servers", "add", "root@203.0.113.9"]) == 2
    assert "unset TAKO_SERVERS" in capsys.readouterr().err


def test_a_file_that_is_no_public_key(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert guard.run(["servers", "add", "root@h", "--public-key", str(home / "id")]) == 2
    assert "is no public key file" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["root@LA.invalid", "root@la.invalid"])
def test_a_host_that_is_taken_is_told_before_anybody_connects(
    address: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "config.toml").write_text(INVENTORY.replace(HOST, "la.invalid"))
    assert guard.run(["servers", "add", address, "--name", "fra"]) == 2
    assert "is already called la" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("--name", "la")], ids=["by its host", "by its name"])
def test_the_same_server_may_be_added_again(
    words: tuple[str, ...], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = dead(home)
    assert guard.run(["servers", "add", "root@127.0.0.1", "--port", port, *words]) == UNREACHABLE
    assert f"refuses connections on port {port}" in capsys.readouterr().err


def test_other_loopback_ports_lead_to_other_machines(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead(home)
    port = str(free_port())
    assert guard.run(["servers", "add", "root@127.0.0.1", "--port", port, "--name", "fra"]) == UNREACHABLE
    assert f"fra refuses connections on port {port}" in capsys.readouterr().err


def test_a_name_that_is_not_free_is_made_of_no_host(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.toml").unlink()
    assert guard.run(["servers", "add", "env.invalid"]) == UNREACHABLE
    assert "may be called" not in capsys.readouterr().err


@pytest.mark.parametrize("test", [True, False], ids=["tested", "--no-test"])
def test_without_the_test_nobody_logs_in_again(test: bool, home: Path) -> None:
    port = dead(home)
    (home / "config.toml").unlink()
    server = Server(name="fra", host="127.0.0.1", port=int(port))
    screen, how = console(Options(quiet=True)), access.person_access(asks=False)

    async def finish() -> None:
        await servers_add.finish(server, how, screen, test=test)

    if test:
        with pytest.raises(Unreachable):
            anyio.run(finish)
    else:
        anyio.run(finish)
    assert read_servers(Home(home)) == (() if test else (server,))


@pytest.mark.usefixtures("home")
def test_no_machine_is_emptied_that_cannot_be_forgotten(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAKO_SERVERS", f"ci=tako@127.0.0.1:{free_port()}")
    assert guard.run(["servers", "uninstall", "ci", "--user", "root", "--yes"]) == 2
    assert "unset TAKO_SERVERS" in capsys.readouterr().err
    assert guard.run(["servers", "uninstall", "ci", "--user", "root", "--dry-run"]) == UNREACHABLE
    assert guard.run(["servers", "uninstall", "local", "--dry-run"]) == 0


def test_the_status_of_none_is_unreachable(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = dead(home)
    assert guard.run(["servers", "status"]) == UNREACHABLE
    told = capsys.readouterr()
    assert f"la refuses connections on port {port}" in told.err
    assert "local (local): it does not run\n" in told.out
    assert guard.run(["servers", "status", "local"]) == UNREACHABLE


def test_the_status_of_some_is_partly_done(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead(home)
    with scripted(home, {}):
        assert guard.run(["servers", "status", "--json"]) == PARTLY
    out = capsys.readouterr().out
    checked(out)
    states = {one["server"]: one["error"] and one["error"]["code"] for one in msgspec.json.decode(out)["servers"]}
    assert states == {"la": "unreachable", "local": None}


def test_the_status_of_nothing_but_a_sleeping_local_is_well(home: Path) -> None:
    (home / "config.toml").unlink()
    assert guard.run(["servers", "status"]) == 0


def dead(home: Path) -> str:
    """Let `la` be a machine where nobody listens; gives its port."""
    port = str(free_port())
    (home / "config.toml").write_text(f'[[servers]]\nname = "la"\nhost = "127.0.0.1"\nport = {port}\n')
    return port
