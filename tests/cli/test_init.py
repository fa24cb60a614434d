"""`tako init`: where it writes, and what keeps it from that."""

import subprocess
from pathlib import Path

import pytest

from tako_modules.cli import guard
from tako_modules.workspace.project import open_project


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


def test_the_folder_of_the_file_is_the_project(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sub = folder / "sub"
    sub.mkdir()
    (sub / "pyproject.toml").write_text('[project]\nname = "inner"\n')
    (folder / "package.json").write_text('{"name": "outer"}')
    assert init("--config", "sub/tako.toml") == 0
    written = open_project(folder, Path("sub/tako.toml")).project
    assert (written.name, written.runtime) == ("inner", "python")
    told = capsys.readouterr()
    assert "wrote tako.toml: app inner, runtime python" in told.out
    assert "next: tako deploy --config sub/tako.toml" in told.out
    assert "package.json" not in told.err


NAMED = {
    "its folder": ("sub/tako.toml", "sub"),
    "a folder above": ("../tako.toml", "tmp-x"),
    "another name": ("qa.toml", "shop"),
}


@pytest.mark.parametrize(("file", "name"), NAMED.values(), ids=NAMED.keys())
def test_a_project_without_a_name_is_called_as_its_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, name: str
) -> None:
    shop = tmp_path / "tmp_x" / "shop"
    (shop / "sub").mkdir(parents=True)
    monkeypatch.chdir(shop)
    assert init("--config", file) == 0
    assert open_project(shop, Path(file)).project.name == name


FOUND = {
    "python": ({"requirements.txt": ""}, "python", ""),
    "static": ({"index.html": "x"}, "static", ""),
    "nothing": ({}, "command", ""),
    "later": ({"go.mod": "module x/things"}, "command", "go.mod tells that this is a go app"),
}


@pytest.mark.parametrize(("files", "runtime", "words"), FOUND.values(), ids=FOUND.keys())
def test_the_runtime_is_found(
    folder: Path, files: dict[str, str], runtime: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in files.items():
        (folder / name).write_text(content)
    assert init() == 0
    assert open_project(folder).project.runtime == runtime
    told = capsys.readouterr()
    assert f"runtime {runtime}, route shop.localhost" in told.out
    assert words in told.err
    assert ("look at `start`" in told.out) == (runtime != "static")


def test_the_runtime_that_is_named_counts(folder: Path) -> None:
    (folder / "requirements.txt").touch()
    assert init("--runtime", "static") == 0
    assert open_project(folder).project.runtime == "static"


def test_a_runtime_that_is_not_known_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init("--runtime", "perl") == 2
    told = capsys.readouterr().err
    assert "there is no runtime perl" in told
    assert "--runtime python or static or command" in told
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("options", [(), ("--yes",)], ids=["nobody to ask", "yes"])
def test_without_a_route_it_says_which_one_it_took(
    folder: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert guard.run(["init", "--name", "blog", *options]) == 0
    told = capsys.readouterr()
    assert "no --route was given: blog.localhost is used, which answers on this machine alone" in told.err
    assert "app blog, runtime command, route blog.localhost" in told.out
    [production] = open_project(folder).project.environments
    assert production.routes == ("blog.localhost",)
