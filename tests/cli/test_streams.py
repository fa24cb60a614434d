"""Closed and full output: progress may be lost, a result that cannot be written is told."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from .scripted import PROJECT, Script, scripted

HERE = Path(__file__).resolve().parents[2]
TOLD = "tako: the result cannot be written to standard output: No space left on device\n  → send it elsewhere"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TAKO_HOME, and a project beside it."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project/tako.toml").write_text(PROJECT)
    monkeypatch.setenv("TAKO_HOME", str(tmp_path / "home"))
    for name in ("XDG_RUNTIME_DIR", "TAKO_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def serve(home: Path) -> Callable[[Script], AbstractContextManager[None]]:
    """Have `local` answer from a script."""
    return partial(scripted, home)


def run(line: str, redirection: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run tako from the checkout with its output redirected by a shell."""
    script = f'"$0" "$1" {line} {redirection}'
    argv = ["sh", "-c", script, sys.executable, str(HERE / "tako.py")]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("line", ["--help", "deploy --help", "servers ls", "status", "status --json"])
@pytest.mark.parametrize(("redirection", "code"), [(">/dev/full", 1), (">&-", 0)], ids=["full", "closed"])
def test_a_result_that_cannot_be_written(
    line: str, redirection: str, code: int, home: Path, serve: Callable[[Script], AbstractContextManager[None]]
) -> None:
    with serve({}):
        done = run(line, redirection, home.parent / "project")
    assert done.returncode == code
    assert done.stderr.startswith(TOLD) if code else done.stderr == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_progress_that_is_lost_does_not_stop_a_deploy(
    redirection: str, home: Path, serve: Callable[[Script], AbstractContextManager[None]]
) -> None:
    with serve({}):
        done = run("deploy --yes", redirection, home.parent / "project")
    assert done.returncode == 0
    assert "shop v1 is live on local" in done.stdout


@pytest.mark.parametrize(("redirection", "code"), [(">/dev/full", 1), (">&-", 0)], ids=["full", "closed"])
def test_events_that_are_lost_do_not_stop_a_deploy(
    redirection: str, code: int, home: Path, serve: Callable[[Script], AbstractContextManager[None]]
) -> None:
    with serve({}):
        done = run("deploy --yes --events", redirection, home.parent / "project")
    assert done.returncode == code
    assert done.stderr.count("cannot be written") == code


def test_an_error_is_told_where_its_document_cannot_be(home: Path) -> None:
    done = run("nosuchverb --json", ">/dev/full", home.parent)
    assert done.returncode == 2
    assert done.stderr == "tako: there is no verb `nosuchverb`\n  → run `tako --help` to see the verbs\n"
    assert not (home / "errors").exists()
