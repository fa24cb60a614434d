"""Verbs over several servers: which exit code, and what is said of each server."""

from pathlib import Path

import pytest

from tako_modules.base.errors import Locked, Refused, TakoError, Unreachable
from tako_modules.cli import change, guard
from tako_modules.protocol import messages
from tests.ssh.sshd import free_port

from .scripted import PROJECT, Script, scripted

REFUSED = Refused("it is broken", hint="mend it")
REQUESTS: dict[str, type[messages.Request]] = {
    "status": messages.Status,
    "logs": messages.Logs,
    "releases": messages.ListReleases,
    "rollback": messages.Rollback,
    "scale 2": messages.Scale,
    "restart": messages.Restart,
    "start": messages.Start,
    "stop --yes": messages.Stop,
    "delete --yes": messages.Delete,
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TAKO_HOME, and a project on the servers `la` and `nyc`, where nobody listens."""
    know(tmp_path / "home", "la", "nyc")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAKO_HOME", str(tmp_path / "home"))
    for name in ("XDG_RUNTIME_DIR", "TAKO_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    run_on(tmp_path, "la", "nyc")
    return tmp_path / "home"


def know(home: Path, *servers: str) -> None:
    """Write an inventory of machines where nobody listens."""
    home.mkdir()
    lines = [f'[[servers]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {free_port()}\n' for name in servers]
    (home / "config.toml").write_text("".join(lines))


def run_on(folder: Path, *servers: str) -> None:
    """Write a project that runs on these servers."""
    head = PROJECT.partition("[servers")[0]
    (folder / "tako.toml").write_text(head + "".join(f'[servers.{name}]\nenv = "production"\n' for name in servers))


@pytest.mark.parametrize("line", REQUESTS)
def test_no_server_can_be_reached(line: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert home.is_dir()
    assert guard.run(line.split()) == 4
    told = capsys.readouterr().err
    assert "la: la refuses connections" in told
    assert "nyc: nyc refuses connections" in told


@pytest.mark.parametrize("line", REQUESTS)
def test_one_cannot_be_reached_and_one_refuses(
    line: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_on(tmp_path, "la", "local")
    with scripted(home, {REQUESTS[line]: REFUSED}):
        assert guard.run(line.split()) == 1
    assert capsys.readouterr().err.endswith("2 servers failed: it is broken\n  → mend it\n")


@pytest.mark.parametrize("line", REQUESTS)
def test_one_cannot_be_reached_and_one_does_it(line: str, home: Path, tmp_path: Path) -> None:
    run_on(tmp_path, "la", "local")
    with scripted(home, {}):
        assert guard.run(line.split()) == 6


@pytest.mark.parametrize(("servers", "code"), [(("la", "local"), 1), (("local", "la"), 1), (("local",), 3)])
def test_a_lease_that_somebody_has(servers: tuple[str, ...], code: int, home: Path, tmp_path: Path) -> None:
    run_on(tmp_path, *servers)
    taken: Script = {messages.Lease: Locked("locked by ann", hint="wait")}
    with scripted(home, taken):
        assert guard.run(["restart"]) == code


@pytest.mark.parametrize("line", ["status", "logs", "restart"])
def test_quiet_tells_why_each_server_failed(line: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert home.is_dir()
    assert guard.run([*line.split(), "-q"]) == 4
    told = capsys.readouterr()
    assert told.out == ""
    assert "la: la refuses connections" in told.err
    assert "nyc: nyc refuses connections" in told.err
    assert told.err.count("  → check that sshd runs there") == 3, "each server's, and the verb's own last words"


def test_quiet_tells_what_a_partly_done_change_points_to(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_on(tmp_path, "la", "local")
    with scripted(home, {}):
        assert guard.run(["restart", "-q"]) == 6
    told = capsys.readouterr().err
    assert told.index("la: la refuses connections") < told.index("correct what is said above")


CASES: dict[str, tuple[dict[str, TakoError], int]] = {
    "some did it": ({"la": Unreachable("x")}, 6),
    "none can be reached": ({"la": Unreachable("x"), "nyc": Unreachable("y")}, 4),
    "one refuses": ({"la": Unreachable("x"), "nyc": Refused("y")}, 1),
    "one is locked": ({"la": Locked("x"), "nyc": Unreachable("y")}, 1),
    "both are locked": ({"la": Locked("x"), "nyc": Locked("y")}, 3),
}


@pytest.mark.parametrize(("errors", "code"), CASES.values(), ids=CASES.keys())
def test_the_error_of_two_servers(errors: dict[str, TakoError], code: int) -> None:
    assert change.verdict(errors, 2).exit_code == code


def test_the_error_of_one_server_is_its_own() -> None:
    locked = Locked("x")
    assert change.verdict({"la": locked}, 1) is locked
