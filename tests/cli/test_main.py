"""The door: which words lead where, what is imported on the way, and how every ending is told."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tako_modules.cli import guard, table
from tako_modules.cli.group import LazyGroup
from tako_modules.cli.options import Options
from tako_modules.cli.table import Verb

HERE = Path(__file__).resolve().parents[2]
HEAVY = {"asyncio", "anyio", "asyncssh", "OpenSSL", "cryptography", "starlette", "textual", "requests", "rich", "click"}
VERBS = {
    "deploy": Verb("tests.cli.sample:command", "End somehow."),
    "fail": Verb("tests.cli.sample:fail", "Fail."),
    "show": Verb("tests.cli.sample:show", "Show."),
    "broken": Verb("tests.cli.no_such_module:command", "Is not there."),
    "servers add": Verb("tests.cli.sample:show", "Add."),
    "servers ls": Verb("tests.cli.no_such_module:command", "List."),
}


@pytest.fixture(autouse=True)
def tako_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TAKO_HOME of its own."""
    monkeypatch.setenv("TAKO_HOME", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> int:
    """Run a command line on the sample verbs."""
    return guard.run(arguments, LazyGroup(VERBS))


def start(*arguments: str, code: str = "") -> "subprocess.CompletedProcess[str]":
    """Start tako from the checkout."""
    argv = [sys.executable, *(("-c", code) if code else ("tako.py",)), *arguments]
    return subprocess.run(argv, cwd=HERE, capture_output=True, text=True)


@pytest.mark.parametrize("argument", ["--help", "-h", "--version", "-V"])
def test_light_questions_import_nothing_heavy(argument: str) -> None:
    code = "import sys; from tako_modules.cli.main import main; main(); print(*sys.modules, file=sys.stderr)"
    done = start(argument, code=code)
    assert done.returncode == 0
    assert HEAVY & set(done.stderr.split()) == set()


def test_help_fits_a_small_terminal() -> None:
    done = start("--help")
    lines = done.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", sorted(table.VERBS))
def test_every_verb_is_there(name: str) -> None:
    module, _, attribute = table.VERBS[name].target.partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)


@pytest.mark.parametrize("name", sorted(table.HIDDEN))
def test_every_hidden_command_is_there(name: str) -> None:
    module, _, attribute = table.HIDDEN[name].partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_help_lists_groups_once_and_imports_no_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    assert "  deploy   End somehow.\n" in out
    assert out.count("  servers  ") == 1


def test_a_group_has_its_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("servers", "--help") == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: tako servers VERB [OPTIONS]\n\nAdd servers and look after them.\n\n  add  Add.\n")


def test_a_verb_of_a_group_runs_and_its_neighbour_is_not_imported(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("servers", "add") == 0
    assert capsys.readouterr().out.startswith("Options(")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["dpeloy"], "there is no verb `dpeloy`", "did you mean `tako deploy`?"),
        (["servers", "ad"], "there is no verb `servers ad`", "did you mean `tako servers add`?"),
        (["zzz"], "there is no verb `zzz`", "run `tako --help` to see the verbs"),
        (["servers"], "tako servers needs a verb", "run `tako servers --help` to see them"),
        ([], "tako needs a verb", "run `tako --help` to see them"),
        (["-v"], "tako needs a verb", "run `tako --help` to see them"),
        (["servers", "--plain"], "tako servers needs a verb", "run `tako servers --help` to see them"),
        (["deploy", "--nope"], "No such option", "run `tako deploy --help` to see what it takes"),
        (["--nope"], "No such option", "run `tako --help` to see what it takes"),
        (["deploy", "more"], "unexpected extra argument", "run `tako deploy --help` to see what it takes"),
    ],
    ids=" ".join,
)
def test_bad_usage(arguments: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert hint in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("well", 0),
        ("six", 6),
        ("locked", 3),
        ("partly", 6),
        ("bug", 1),
        ("stopped", 5),
        ("group", 1),
        ("mixed", 1),
        ("stopped group", 5),
        ("exit", 3),
    ],
)
def test_exit_codes(how: str, code: int) -> None:
    assert run("fail", "--how", how) == code


def test_an_error_says_what_happened_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    run("fail", "--how", "locked")
    assert capsys.readouterr().err == "tako: locked by ann@laptop until 12:00\n  → wait, or use `--wait 60`\n"


def test_an_error_from_a_task_reads_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    run("fail", "--how", "group")
    assert capsys.readouterr().err == "tako: it failed\n  → do this\n"


def test_an_error_is_a_document_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    run("fail", "--json", "--how", "locked")
    error = {"code": "locked", "message": "locked by ann@laptop until 12:00", "hint": "wait, or use `--wait 60`"}
    assert json.loads(capsys.readouterr().out) == {"schema": "tako.error/1", "error": error}


def test_bad_usage_is_a_document_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    run("dpeloy", "--json")
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


def test_json_behind_two_dashes_is_not_ours(capsys: pytest.CaptureFixture[str]) -> None:
    run("deploy", "--", "--json")
    assert capsys.readouterr().out == ""


def test_a_verb_that_printed_its_document_gets_no_second_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("deploy", "--json", "--how", "partly") == 6
    assert json.loads(capsys.readouterr().out) == {"schema": "tako.sample/1", "how": "partly"}


def test_a_bug_is_kept_in_a_private_file(tako_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("fail", "--how", "bug")
    [kept] = (tako_home / "errors").iterdir()
    assert "ZeroDivisionError: by zero" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    err = capsys.readouterr().err
    assert str(kept) in err
    assert "Traceback" not in err


def test_a_bug_is_shown_with_verbose(tako_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("fail", "-v", "--how", "bug")
    assert "Traceback" in capsys.readouterr().err
    assert not (tako_home / "errors").exists()


def test_a_bug_is_shown_when_it_cannot_be_kept(tako_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tako_home / "errors").touch()
    assert run("fail", "--how", "bug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_only_so_many_bugs_are_kept(tako_home: Path) -> None:
    (tako_home / "errors").mkdir()
    for number in range(guard.KEPT + 5):
        (tako_home / f"errors/2020-01-01T0000{number:02}Z-1.txt").touch()
    run("fail", "--how", "bug")
    assert len(list((tako_home / "errors").iterdir())) == guard.KEPT


def test_a_module_that_is_missing_is_our_bug(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("broken") == 1
    assert "ModuleNotFoundError" in capsys.readouterr().err


def test_a_module_that_a_power_cut_emptied_is_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAKO_PYZ", "/opt/tako/tako.pyz")
    assert run("broken") == 1
    assert "remove the unpacked runtime with `rm -r " in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error() -> None:
    argv = [sys.executable, "tako.py", "--help"]
    with subprocess.Popen(argv, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_common_options_become_one_value(capsys: pytest.CaptureFixture[str]) -> None:
    run("show", "--env", "staging", "-c", "x.toml", "-y", "--plain", "-q", "-v")
    expected = Options(env="staging", config=Path("x.toml"), yes=True, plain=True, quiet=True, verbose=True)
    assert capsys.readouterr().out.strip() == repr(expected)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_common_options_may_stand_before_the_verb(place: int, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["servers", "add"]
    words[place:place] = ["--env", "staging", "-v"]
    assert run(*words) == 0
    assert capsys.readouterr().out.strip() == repr(Options(env="staging", verbose=True))


def test_the_option_nearest_to_the_verb_counts(capsys: pytest.CaptureFixture[str]) -> None:
    run("--env", "staging", "show", "--env", "production")
    assert capsys.readouterr().out.strip() == repr(Options(env="production"))


def test_bad_usage_has_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-v", "dpeloy") == 2
    assert capsys.readouterr().err.startswith("tako: there is no verb")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [((), Options()), (("--json",), Options(json=True)), (("--events",), Options(json=True, events=True))],
    ids=["none", "json", "events"],
)
def test_events_are_json_too(typed: tuple[str, ...], expected: Options, capsys: pytest.CaptureFixture[str]) -> None:
    run("show", *typed)
    assert capsys.readouterr().out.strip() == repr(expected)


def test_a_failure_ends_a_stream_of_events_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("nosuchverb", "--events") == 2
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["schema"] == "tako.error/1"


def test_the_socket_pipe_says_when_there_is_no_server() -> None:
    done = start("__socket__", "/nonexistent.sock")
    assert done.returncode == 4
    assert "cannot reach the server" in done.stderr
