"""A project that maps no server: who is offered, who has to be picked, and what is written."""

from pathlib import Path

import pytest

from tako_modules.cli import guard

from .person import TEXT, Person, settle
from .scripted import scripted

LA = TEXT + '\n[servers.la]\nenv = "production"\n'


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    return settle(tmp_path, monkeypatch)


@pytest.mark.parametrize("word", ["2", "nyc"], ids=["number", "name"])
def test_one_of_several_is_picked_and_written(person: Person, word: str) -> None:
    person.know("la", "nyc")
    seen = person.types(["deploy"], f"9\n{word}\nn\n")
    assert "tako@203.0.113.2:22" in seen.raw
    assert "'9' is not one of" in seen.raw
    assert "Deploy shop to production on nyc?" in seen.raw
    assert seen.code == 5
    assert person.file.read_text() == TEXT, "the second question was answered with no"


def test_the_only_one_is_offered_and_written_when_all_is_agreed(person: Person) -> None:
    person.know("la")
    (person.folder / "tako.toml").write_text(TEXT.replace('["true"]', '["true"]\nbuild = "exit 3"'))
    seen = person.types(["deploy"], "y\ny\n")
    assert "Deploy to la and write [servers.la] into tako.toml?" in seen.raw
    assert "Deploy shop to production on la?" in seen.raw
    assert "the build failed (exit code 3)" in seen.raw
    assert person.file.read_text() == LA.replace('["true"]', '["true"]\nbuild = "exit 3"')


@pytest.mark.parametrize("typed", ["n\n", "y\nn\n"], ids=["the server", "production"])
def test_a_no_to_any_question_writes_nothing(person: Person, typed: str) -> None:
    person.know("la")
    seen = person.types(["deploy"], typed)
    assert seen.code == 5
    assert "nothing was changed" in seen.raw
    assert person.file.read_text() == TEXT
    assert [path.name for path in person.folder.iterdir()] == ["tako.toml"]


def test_without_any_a_server_of_ones_own_is_named_beside_local(person: Person) -> None:
    seen = person.types(["deploy"], "n\n")
    assert "`tako servers add root@<host>` adds one" in " ".join(seen.lines)
    assert "Deploy to local, this machine, and write [servers.local] into tako.toml?" in seen.raw.replace("\r\n", "")
    assert seen.code == 5
    assert person.file.read_text() == TEXT


def test_yes_takes_the_only_one_where_nobody_can_be_asked(person: Person) -> None:
    person.know("la")
    person.file.write_text(TEXT.replace('["true"]', '["true"]\nbuild = "exit 3"'))
    assert guard.run(["deploy", "--yes"]) == 1
    assert person.file.read_text().endswith('# ours\n\n[servers.la]\nenv = "production"\n')


def test_nobody_can_be_asked_about_the_only_one(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    person.know("la")
    assert guard.run(["deploy"]) == 2
    told = capsys.readouterr().err
    assert "Deploy to la and write [servers.la] into tako.toml? Nobody can be asked here." in told
    assert "add --yes to agree" in told
    assert person.file.read_text() == TEXT


UNMAPPED = {
    "none": ((), "add to tako.toml:", "[servers.local]"),
    "several": (("la", "nyc"), "add to tako.toml, with one of la, nyc:", "[servers.la]"),
}


@pytest.mark.parametrize("options", [(), ("--yes",), ("--plan",)], ids=["plain", "yes", "plan"])
@pytest.mark.parametrize(("names", "words", "header"), UNMAPPED.values(), ids=UNMAPPED.keys())
def test_nobody_can_be_asked_which_one(
    person: Person,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    words: str,
    header: str,
    options: tuple[str, ...],
) -> None:
    person.know(*names)
    assert guard.run(["deploy", *options]) == 2
    told = capsys.readouterr().err
    assert "tako.toml maps no server to production" in told
    assert f"→ {words}\n  → {header}\n" in told
    assert "`tako servers add root@<host>`" in told
    assert person.file.read_text() == TEXT


def test_a_yes_picks_none_of_several(person: Person) -> None:
    person.know("la", "nyc")
    seen = person.types(["deploy", "--yes"])
    assert seen.code == 2
    assert "maps no server to production" in seen.raw


@pytest.mark.parametrize("options", [(), ("--yes",)], ids=["asked for", "yes"])
def test_a_plan_is_that_of_the_file_as_it_would_be(
    person: Person, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    person.know("la")
    text = TEXT + "[servers]\ninstances = 3\n"
    person.file.write_text(text)
    assert guard.run(["deploy", "--plan", *options]) == 0
    unmapped = capsys.readouterr().out.splitlines()
    assert unmapped[:2] == ["write [servers.la] into tako.toml", "build shop"]
    assert "3 instances" in unmapped[-1]
    assert person.file.read_text() == text
    person.file.write_text(f'{text}[servers.la]\nenv = "production"\n')
    assert guard.run(["deploy", "--plan"]) == 0
    assert capsys.readouterr().out.splitlines() == unmapped[1:]


def test_a_deploy_to_local_after_all(person: Person) -> None:
    with scripted(person.home, {}):
        seen = person.types(["deploy"], "y\ny\n")
    assert seen.code == 0, seen.raw
    assert person.file.read_text() == LA.replace("servers.la", "servers.local")
