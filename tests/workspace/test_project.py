"""Finding and reading the project of a command."""

import re
import subprocess
from pathlib import Path

import pytest

from tako_modules.base.errors import ConfigError
from tako_modules.workspace.project import detect_name, find_file, map_server, open_project, read_text, with_server

TEXT = '[envs.production]\nroute = "a.b"\n'


def put(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_the_file_in_the_folder(tmp_path: Path) -> None:
    folder = put(tmp_path / "My Shop", {"tako.toml": TEXT})
    found = open_project(folder)
    assert (found.folder, found.file) == (folder, folder / "tako.toml")
    assert found.project.name == "my-shop"


def test_the_file_of_a_folder_above(tmp_path: Path) -> None:
    put(tmp_path / "shop", {"tako.toml": TEXT})
    deep = put(tmp_path / "shop/src/deep", {})
    assert open_project(deep).folder == tmp_path / "shop"


def test_another_file_makes_its_folder_the_project(tmp_path: Path) -> None:
    put(tmp_path / "here", {"tako.toml": TEXT})
    other = put(tmp_path / "other", {"qa.toml": 'name = "qa"\n'})
    found = open_project(tmp_path / "here", Path("../other/qa.toml"))
    assert (found.folder, found.project.name) == (other, "qa")


def test_problems_carry_the_files_own_name(tmp_path: Path) -> None:
    put(tmp_path, {"qa.toml": "foo = 1"})
    with pytest.raises(ConfigError, match=r"^qa\.toml:1: foo: unknown key$"):
        open_project(tmp_path, Path("qa.toml"))


def test_no_file_names_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_file(tmp_path)
    assert "tako init" in caught.value.hint


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_named_file_must_be_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        find_file(tmp_path, Path(name))


NO_FILES = {
    "folder": ("mkdir tako.toml", "a folder"),
    "pipe": ("mkfifo tako.toml", "a named pipe"),
    "dangling link": ("ln -s gone.toml tako.toml", "a dangling link (to gone.toml)"),
    "circle": ("ln -s tako.toml tako.toml", "a link that leads in a circle"),
    "link to a folder": ("mkdir x; ln -s x tako.toml", "a folder"),
}


@pytest.mark.parametrize(("make", "kind"), NO_FILES.values(), ids=NO_FILES.keys())
def test_what_stands_in_the_place_of_the_file_is_named(tmp_path: Path, make: str, kind: str) -> None:
    subprocess.run(["/bin/sh", "-c", make], cwd=tmp_path, check=True)
    below = put(tmp_path / "src", {})
    with pytest.raises(ConfigError) as caught:
        find_file(below)
    assert caught.value.message == f"{tmp_path}/tako.toml is {kind}, not a file"
    assert caught.value.hint == "remove or rename it, then run `tako init`"
    with pytest.raises(ConfigError, match=f"^tako.toml is not a file: it is {re.escape(kind)}$"):
        find_file(tmp_path, Path("tako.toml"))
    with pytest.raises(ConfigError, match=f"^tako.toml is {re.escape(kind)}, not a file$"):
        read_text(tmp_path / "tako.toml")


def test_text_must_be_utf8(tmp_path: Path) -> None:
    (tmp_path / "tako.toml").write_bytes(b'name = "a"\n# \xff\n')
    with pytest.raises(ConfigError, match=r"tako\.toml:2: not UTF-8"):
        open_project(tmp_path)


def test_a_huge_file_is_another_one_by_mistake(tmp_path: Path) -> None:
    (tmp_path / "tako.toml").write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(ConfigError, match="is larger than"):
        open_project(tmp_path)


NAMES = {
    "package first": (
        {"package.json": '{"name": "@o/a"}', "pyproject.toml": '[project]\nname = "b"', "go.mod": "module c"},
        "@o/a",
    ),
    "then pyproject": ({"pyproject.toml": '[project]\nname = "b"', "go.mod": "module c"}, "b"),
    "then go": ({"go.mod": "// hi\nmodule example.com/me/c\n\ngo 1.22"}, "c"),
    "go with a version": ({"go.mod": "module example.com/me/c/v2\n"}, "c"),
    "go plain": ({"go.mod": "module c"}, "c"),
    "broken package": ({"package.json": "{", "go.mod": "module c"}, "c"),
    "package that is a list": ({"package.json": "[]", "go.mod": "module c"}, "c"),
    "name that is no text": ({"package.json": '{"name": 3}', "pyproject.toml": "[project]\nname = 3"}, ""),
    "broken pyproject": ({"pyproject.toml": "["}, ""),
    "nothing": ({}, ""),
}


@pytest.mark.parametrize(("files", "name"), NAMES.values(), ids=NAMES.keys())
def test_a_project_says_its_name(tmp_path: Path, files: dict[str, str], name: str) -> None:
    assert detect_name(put(tmp_path, files)) == name


def test_a_mapping_can_be_tried_without_writing(tmp_path: Path) -> None:
    put(tmp_path, {"tako.toml": TEXT + "[servers]\ninstances = 3\n"})
    found = open_project(tmp_path)
    tried = with_server(found, "la", "production")
    assert [(one.server, one.instances) for one in tried.project.placements] == [("la", 3)]
    assert (tmp_path / "tako.toml").read_text() == found.text
    assert map_server(found, "la", "production") == tried == open_project(tmp_path, env="production")


def test_a_mapping_is_written_in_place(tmp_path: Path) -> None:
    put(tmp_path, {"real.toml": "\ufeff# mine\n" + TEXT})
    (tmp_path / "real.toml").chmod(0o640)
    (tmp_path / "tako.toml").symlink_to("real.toml")
    map_server(open_project(tmp_path), "la", "production")
    assert (tmp_path / "tako.toml").is_symlink()
    assert (tmp_path / "real.toml").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "real.toml").read_text() == f'# mine\n{TEXT}\n[servers.la]\nenv = "production"\n'
    assert [placement.server for placement in open_project(tmp_path).project.placements] == ["la"]
