"""`tako logs`: following is text that a person ends."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tako_modules.base.errors import Unreachable
from tako_modules.cli import guard
from tako_modules.protocol import messages
from tests.kit.documents import checked

from .scripted import PROJECT, Endless, scripted

HERE = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TAKO_HOME, and a project around the working directory."""
    (tmp_path / "tako.toml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAKO_HOME", str(tmp_path / "home"))
    for name in ("XDG_RUNTIME_DIR", "TAKO_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.mark.parametrize("option", ["--json", "--events"])
def test_following_has_no_document(option: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted(home, {}):
        assert guard.run(["logs", "--follow", option]) == 2
    told = capsys.readouterr()
    assert "--follow prints text without an end" in told.err
    assert "tako.error/1" in told.out


def test_ctrl_c_ends_following_without_a_word(home: Path) -> None:
    argv = [sys.executable, str(HERE / "tako.py"), "logs", "--follow"]
    with (
        scripted(home, {messages.Logs: Endless()}),
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline().endswith("hello\n")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert (process.returncode, told) == (5, "")


def test_a_server_that_fails_says_so_in_the_document(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted(home, {messages.Logs: Unreachable("it is gone", hint="look for it")}):
        assert guard.run(["logs", "--json"]) != 0
    out = capsys.readouterr().out
    checked(out)
    [server] = json.loads(out)["servers"]
    assert [line["text"] for line in server["lines"]] == ["hello"]
    assert (server["error"]["message"], server["error"]["hint"]) == ("it is gone", "look for it")


def test_a_server_that_answers_has_no_error_in_the_document(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted(home, {}):
        assert guard.run(["logs", "--json"]) == 0
    [server] = json.loads(capsys.readouterr().out)["servers"]
    assert server["error"] is None


def test_a_server_that_fails_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with scripted(home, {messages.Logs: Unreachable("it is gone", hint="look for it")}):
        assert guard.run(["logs"]) != 0
    assert "it is gone\n  → look for it\n" in capsys.readouterr().err
