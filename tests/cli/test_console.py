"""What is shown where: a pipe, a terminal, a program."""

import io
import json
import os
from contextlib import suppress

import pytest

from tako_modules.cli.console import Console, Said, console, display_for
from tako_modules.cli.display import Mute, Plain
from tako_modules.cli.options import Options
from tests.kit.clock import ManualClock
from tests.kit.documents import checked


@pytest.fixture
def stream() -> io.StringIO:
    """What would be standard error."""
    return io.StringIO()


def made(options: Options, stream: io.StringIO, clock: ManualClock | None = None) -> Console:
    """Make a console that writes its progress into a stream."""
    return Console(options, Said(), display_for(options, stream), clock or ManualClock())


def test_a_step_is_one_line_with_its_time(stream: io.StringIO) -> None:
    clock = ManualClock()
    with made(Options(), stream, clock).step("build") as step:
        step.update(1, 2)
        clock.advance(2.5)
    assert stream.getvalue() == "✓ build  2.5 s\n"


def test_a_step_that_fails_says_so(stream: io.StringIO) -> None:
    with pytest.raises(ValueError, match="x"), made(Options(), stream).step("build"):
        raise ValueError("x")
    assert stream.getvalue() == "✗ build  0 ms\n"


def test_steps_may_overlap(stream: io.StringIO) -> None:
    console = made(Options(), stream)
    first, second = console.begin("one"), console.begin("two")
    first.end()
    second.end(ok=False)
    first.end()
    assert stream.getvalue() == "✓ one  0 ms\n✗ two  0 ms\n"


def test_quiet_leaves_warnings(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    console = made(Options(quiet=True), stream)
    console.say("this")
    console.warn("that")
    console.error("  → why\x1b[2J")
    with console.step("build"):
        console.line("result")
    assert stream.getvalue() == ""
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("result\n", "warning: that\n  → why\\x1b[2J\n")


def test_an_error_is_told_where_progress_is(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    made(Options(), stream).error("why")
    console(Options(events=True, json=True)).error("why")
    assert stream.getvalue() == "why\n"
    assert checked(capsys.readouterr().out)["text"] == "why"


def test_details_are_for_verbose(stream: io.StringIO) -> None:
    made(Options(), stream).detail("no")
    made(Options(verbose=True), stream).detail("yes")
    assert stream.getvalue() == "yes\n"


def test_a_table_has_aligned_columns(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    made(Options(), stream).table(["app", "state"], [["blog", "running"], ["a", 1]])
    assert capsys.readouterr().out == "APP   STATE\nblog  running\na     1\n"


def test_an_empty_table_is_its_headings(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    made(Options(), stream).table(["app", "state"], [])
    assert capsys.readouterr().out == "APP  STATE\n"


def test_what_others_say_steers_no_terminal(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    console = made(Options(verbose=True), stream)
    console.table(["version", "note"], [["v1", "a\nb\x1b[2Jx"]])
    console.line("note \x1b]0;title\x07")
    console.say("said \x1b[31mred\x1b[0m")
    console.detail("detail \x08")
    console.warn("warning \x9b")
    with console.step("step \r"):
        pass
    told = capsys.readouterr().out + stream.getvalue()
    assert [text for text in told.splitlines() if not text.isprintable()] == []
    assert r"v1       a\nb\x1b[2Jx" in told
    assert "said red" in told


def test_json_is_the_only_thing_on_standard_output(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    console = made(Options(json=True), stream)
    console.line("words")
    console.table(["app"], [["blog"]])
    console.say("progress")
    console.emit({"schema": "tako.status/1", "apps": ["blog"]})
    assert json.loads(capsys.readouterr().out) == {"schema": "tako.status/1", "apps": ["blog"]}
    assert stream.getvalue() == "progress\n"


def test_a_document_is_for_json(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    made(Options(), stream).emit({"schema": "tako.status/1"})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "variable", "kind"),
    [
        (Options(), None, "Live"),
        (Options(plain=True), None, "Plain"),
        (Options(quiet=True), None, "Mute"),
        (Options(), ("NO_COLOR", "1"), "Live"),
        (Options(), ("TERM", "dumb"), "Plain"),
    ],
    ids=["terminal", "plain", "quiet", "no color", "dumb"],
)
def test_which_display_a_terminal_gets(
    options: Options, variable: tuple[str, str] | None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if variable:
        monkeypatch.setenv(*variable)
    ours, theirs = os.openpty()
    with open(theirs, "w") as terminal, open(ours, "rb"):
        assert type(display_for(options, terminal)).__name__ == kind


def test_a_pipe_gets_plain_lines(stream: io.StringIO) -> None:
    assert isinstance(display_for(Options(), stream), Plain)
    assert isinstance(display_for(Options(quiet=True), stream), Mute)


def everything(screen: io.FileIO) -> bytes:
    """Read what a terminal shows, until nobody writes there any more."""
    shown = b""
    with suppress(OSError):  # EIO: the other side is closed
        while piece := screen.read(65536):
            shown += piece
    return shown


def test_a_terminal_shows_a_step_while_it_runs_and_keeps_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    with open(theirs, "w") as terminal, open(ours, "rb", buffering=0) as screen:
        console = Console(Options(), Said(), display_for(Options(), terminal), ManualClock())
        with console.step("upload [1]") as step:
            step.update(1, 2)
            console.say("one line")
        terminal.close()
        seen = everything(screen).decode()
    assert "upload [1]" in seen
    assert "one line" in seen
    assert "✓ upload [1]  0 ms" in seen


def test_events_are_documents_one_a_line_and_the_result_is_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock()
    shown = console(Options(events=True, json=True), clock=clock)
    step = shown.begin("upload")
    for done in (1, 2, 3, 10):
        step.update(done, 10)
    clock.advance(2.5)
    shown.say("one line")
    step.end(ok=False)
    shown.line("for people")
    shown.emit({"schema": "tako.servers.rm/1", "name": "la"})
    lines = capsys.readouterr().out.splitlines()
    events = [checked(line) for line in lines]
    assert [(one.get("event"), one.get("done")) for one in events] == [
        ("begin", None),
        ("update", 1),
        ("update", 10),
        ("line", None),
        ("end", None),
        (None, None),
    ]
    assert {one["text"] for one in events[:3]} == {"upload"}
    assert (events[4]["ok"], events[4]["seconds"]) == (False, 2.5)


def test_quiet_events_are_the_result_alone(capsys: pytest.CaptureFixture[str]) -> None:
    shown = console(Options(events=True, json=True, quiet=True))
    with shown.step("upload"):
        shown.say("one line")
    assert capsys.readouterr() == ("", "")
