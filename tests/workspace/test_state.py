"""`.tako/` in a project, and its lock."""

import getpass
import os
import re
import subprocess
from pathlib import Path

import pytest

from tako_modules.base.errors import Locked
from tako_modules.workspace.lock import project_lock
from tako_modules.workspace.state import State


def test_the_folder_keeps_itself_out_of_git(tmp_path: Path) -> None:
    State(tmp_path).prepare()
    (tmp_path / ".tako/secrets").write_text("{}")
    (tmp_path / ".tako/build/x.tar.gz").write_text("x")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    listed = subprocess.run(
        ["git", "-C", tmp_path, "ls-files", "--others", "--exclude-standard"], check=True, capture_output=True
    )
    assert listed.stdout.decode().split() == [".tako/.gitignore", ".tako/secrets"]


def test_what_a_person_changed_in_it_stays(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.prepare()
    (state.root / ".gitignore").write_text("mine\n")
    state.prepare()
    assert (state.root / ".gitignore").read_text() == "mine\n"


def test_outputs_are_kept(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.prepare()
    assert state.read_outputs() == {}
    state.write_outputs({"dist/b.js": "2" * 64, "dist/a.js": "1" * 64})
    assert state.read_outputs() == {"dist/a.js": "1" * 64, "dist/b.js": "2" * 64}


@pytest.mark.parametrize("text", ["", "{", '{"files": 3}', "[]"])
def test_a_broken_list_is_an_empty_one(tmp_path: Path, text: str) -> None:
    state = State(tmp_path)
    state.prepare()
    (state.build / "outputs.json").write_text(text)
    assert state.read_outputs() == {}


def test_one_at_a_time(tmp_path: Path) -> None:
    state = State(tmp_path)
    with project_lock(state), pytest.raises(Locked) as caught, project_lock(state):
        pass
    who = rf"{getpass.getuser()} \(process {os.getpid()}, since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\)"
    assert re.fullmatch(f"{who} is building this project", caught.value.message)
    with project_lock(state):
        pass


RECORDS = {
    "nothing yet": b"",
    "a number": b"4711\n",
    "other words": b'{"pid": 1}',
    "no text": b"\xff{",
    "another file": b'{"user": "' + b"x" * 5000 + b'", "pid": 1, "since": "now"}',
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS.keys())
def test_a_lock_without_a_record_is_somebodys(tmp_path: Path, record: bytes) -> None:
    state = State(tmp_path)
    with project_lock(state):
        state.lock.write_bytes(record)
        with pytest.raises(Locked, match=r"^another process is building this project$"), project_lock(state):
            pass
