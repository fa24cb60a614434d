"""What `tako deploy` refuses and asks before it does anything, and what it shows of a build."""

import json
from pathlib import Path

import pytest

from tako_modules.cli import guard
from tests.kit.documents import checked

from .person import TEXT, Person, settle
from .scripted import scripted

MAPPED = TEXT + '[servers.local]\nenv = "production"\n'


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    return settle(tmp_path, monkeypatch, MAPPED)


def build(person: Person, command: str) -> None:
    """Give the project a build."""
    person.file.write_text(MAPPED.replace('["true"]', f'["true"]\nbuild = "{command}"'))


@pytest.mark.parametrize("note", ["x" * 1001, "a\nb\x1b[31mx"], ids=["long", "controls"])
def test_a_note_is_checked_before_the_build(
    note: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert guard.run(["deploy", "--note", note, "--yes"]) == 2
    told = capsys.readouterr().err
    assert "the note" in told
    assert "--note" in told
    assert "\x1b" not in told


REFUSED = {
    "start missing": (("", 'start = ["true"]\n'), "tako.toml: start: is missing: the runtime command needs it"),
    "main missing": (('"run", "{main}"', '"true"'), "tako.toml:4: start: names {main}, but main is missing"),
    "main not there": (('"true"]\nmain = "gone"', '"true"]'), "tako.toml:3: runtime: main is gone, which is not there"),
    "nothing to serve": (('"static"\nmain = "gone"', '"command"'), "runtime: there is nothing to serve: gone/"),
    "no runtime": (("", 'runtime = "command"\nstart = ["true"]\n'), "tako.toml: runtime: the files do not tell"),
}


@pytest.mark.parametrize("options", [("--yes",), ("--plan",)], ids=["deploy", "plan"])
@pytest.mark.parametrize(("change", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_started_is_told_before_anything_is_done(
    person: Person,
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, str],
    words: str,
    options: tuple[str, ...],
) -> None:
    new, old = change
    person.know("la")
    text = TEXT.replace(old, new)
    person.file.write_text(text)
    assert guard.run(["deploy", *options]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "then run `tako deploy --plan` to check it" in told
    assert person.file.read_text() == text
    assert [path.name for path in person.folder.iterdir()] == ["tako.toml"]


def test_a_runtime_of_a_later_version_is_told_before_anything_is_asked(person: Person) -> None:
    person.file.write_text(TEXT.replace('runtime = "command"\n', ""))
    (person.folder / "bun.lock").touch()
    seen = person.types(["deploy"], "y\ny\n")
    assert seen.code == 2
    assert "bun comes with version" in " ".join(seen.lines)
    assert "Deploy" not in seen.raw


def test_all_that_is_wrong_is_told_at_once_with_its_lines(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    person.file.write_text(TEXT.replace('"true"', '"run", "{main}"') + '[servers.mars]\nenv = "production"\n')
    assert guard.run(["deploy", "--yes", "--server", "venus"]) == 2
    told = capsys.readouterr().err
    assert told.splitlines()[0] == "tako: tako.toml has 2 problems"
    assert "tako.toml: servers.venus: does not run production" in told
    assert "tako.toml:4: start: names {main}, but main is missing" in told
    assert guard.run(["deploy", "--yes"]) == 2
    assert "tako.toml:7: servers.mars: is not in your inventory" in capsys.readouterr().err


def test_what_a_build_still_makes_is_no_problem_before_it(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    text = MAPPED.replace('"command"', '"static"\nmain = "dist"\nbuild = "mkdir dist && touch dist/index.html"')
    person.file.write_text(text)
    assert guard.run(["deploy", "--plan"]) == 0
    with scripted(person.home, {}):
        assert guard.run(["deploy", "--yes"]) == 0


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 5)], ids=["yes", "no"])
def test_production_is_confirmed_at_a_terminal(person: Person, typed: str, code: int) -> None:
    with scripted(person.home, {}):
        seen = person.types(["deploy"], typed)
    assert "Deploy shop to production on local?" in seen.raw
    assert seen.code == code, seen.raw
    assert ("cancelled: nothing was changed" in seen.raw) == (code == 5)
    assert (person.folder / ".tako").exists() == (code == 0)


def test_yes_confirms_production(person: Person) -> None:
    with scripted(person.home, {}):
        seen = person.types(["deploy", "--yes"])
    assert seen.code == 0, seen.raw
    assert "Deploy shop" not in seen.raw


def test_another_environment_is_not_confirmed(person: Person) -> None:
    person.file.write_text(MAPPED.replace("production", "staging"))
    with scripted(person.home, {}):
        seen = person.types(["deploy", "--env", "staging"])
    assert seen.code == 0, seen.raw
    assert "Deploy shop" not in seen.raw


@pytest.mark.parametrize("verb", ["stop", "delete"])
def test_where_nobody_can_be_asked_the_error_names_yes(
    person: Person, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guard.run([verb]) == 2
    told = capsys.readouterr().err
    assert "Nobody can be asked here." in told
    assert "→ add --yes to agree" in told


def test_lines_of_the_build_are_shown_as_they_come(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    build(person, "echo one; echo two >&2")
    with scripted(person.home, {}):
        assert guard.run(["deploy", "--yes", "--json"]) == 0
    told = capsys.readouterr()
    assert told.err.splitlines()[:2] == ["  one", "  two"]
    assert told.err.splitlines()[2].startswith("✓ building shop")
    assert checked(told.out)["schema"] == "tako.deploy/1"


def test_quiet_shows_no_line_of_the_build(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    build(person, "echo one")
    with scripted(person.home, {}):
        assert guard.run(["deploy", "--yes", "--quiet"]) == 0
    assert "one" not in capsys.readouterr().err


def test_a_failed_builds_lines_are_shown_once(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    build(person, "echo broken; exit 3")
    assert guard.run(["deploy", "--yes"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.strip() == "broken"] == ["  broken"]
    assert "tako: the build failed (exit code 3): echo broken; exit 3" in lines


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_a_failed_builds_lines_are_in_the_error_where_nobody_saw_them(
    person: Person, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    build(person, "seq 30; exit 3")
    assert guard.run(["deploy", "--yes", option]) == 1
    told = capsys.readouterr()
    message = json.loads(told.out)["error"]["message"] if option == "--json" else told.err.partition("\n  →")[0]
    assert message.splitlines()[1:] == [f"    {number}" for number in range(11, 31)]
