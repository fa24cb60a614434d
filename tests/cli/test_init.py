"""`tako init`: where it writes, and what keeps it from that."""

import subprocess
from pathlib import Path

import pytest

from tako_modules.cli import guard


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project that is the working directory."""
    project = tmp_path / "shop"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("TAKO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TAKO_SERVERS", raising=False)
    return project


def init(*words: str) -> int:
    return guard.run(["init", "--route", "shop.localhost", "--yes", *words])


def test_a_second_time_fits_every_project(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init() == 0
    written = (folder / "tako.toml").read_text()
    capsys.readouterr()
    assert init() == 2
    told = capsys.readouterr().err
    assert "tako.toml is here already" in told
    assert "move it away and run `tako init` again" in told
    assert "example.com" not in told
    assert (folder / "tako.toml").read_text() == written


TAKEN = {
    "folder": ("mkdir tako.toml", "is a folder, not a file"),
    "pipe": ("mkfifo tako.toml", "is a named pipe, not a file"),
    "dangling link": ("ln -s gone.toml tako.toml", "is a dangling link (to gone.toml), not a file"),
    "circle": ("ln -s tako.toml tako.toml", "is a link that leads in a circle, not a file"),
}


@pytest.mark.parametrize(("make", "words"), TAKEN.values(), ids=TAKEN.keys())
def test_what_is_no_file_is_named_and_left(
    folder: Path, make: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["/bin/sh", "-c", make], check=True)
    mode = (folder / "tako.toml").lstat().st_mode
    assert init() == 2
    told = " ".join(capsys.readouterr().err.split())
    assert words in told
    assert "remove or rename it" in told
    assert (folder / "tako.toml").lstat().st_mode == mode
    assert [path.name for path in folder.iterdir()] == ["tako.toml"]


def test_a_folder_that_is_not_there_is_no_bug(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init("--config", "gone/tako.toml") == 1
    assert "cannot write gone/tako.toml: No such file or directory" in capsys.readouterr().err
