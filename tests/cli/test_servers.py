"""The verbs of `servers` as far as they need no server: the inventory, and what is refused beforehand."""

from pathlib import Path

import msgspec
import pytest

from tako_modules.cli import guard

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
        pytest.param(["add", "root@h", "--name", "LA!"], 2, "'LA!' cannot be the name", "--name la", id="add: name"),
        pytest.param(["add", "root@h", "--name", "local"], 2, "cannot be the name", "--name la", id="add: built-in"),
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
