"""Old lines merged by time, new ones as they come; nothing twice, nothing skipped."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from tako_modules.telemetry import follow, reading
from tako_modules.telemetry.follow import LogLine, Position
from tako_modules.telemetry.shelf import Shelf
from tako_modules.telemetry.times import record

from .standing import StandingClock

Folders = tuple[Path, Path]


@pytest.fixture
def folders(folder: Path, tmp_path: Path) -> Folders:
    """What control captured, and what the app writes itself."""
    own = tmp_path / "logs"
    own.mkdir()
    return folder, own


def put(folder: Path, name: str, *lines: tuple[float, str], end: str = "\n") -> None:
    """Make a captured segment whose lines came at these times."""
    text, index = b"", b""
    for when, line in lines:
        index += record(len(text), when)
        text += line.encode() + b"\n"
    (folder / name).write_bytes(text[:-1] + end.encode() if text else b"")
    (folder / f"{name}.times").write_bytes(index)
    last = max(when for when, _ in lines)
    os.utime(folder / name, (last, last))


def add(path: Path, text: str) -> None:
    with open(path, "a") as file:
        file.write(text)


def words(lines: list[LogLine]) -> list[str]:
    return [f"{line.source}:{line.text}" for line in lines]


def test_lines_of_all_instances_are_merged_by_time(folders: Folders) -> None:
    put(folders[0], "web-1.log", (10, "a"), (12, "c"), (14, "e"))
    put(folders[0], "web-2.log", (11, "b"), (13, "d"))
    _, lines = follow.tail(folders, lines=100)
    assert words(lines) == ["1:a", "2:b", "1:c", "2:d", "1:e"]
    assert [line.at for line in lines] == [10, 11, 12, 13, 14]
    assert words(follow.tail(folders, lines=2)[1]) == ["2:d", "1:e"]
    assert words(follow.tail(folders, lines=100, since=13)[1]) == ["2:d", "1:e"]
    assert follow.tail(folders, lines=0)[1] == []
    assert follow.tail(folders, lines=5, since=99.0)[1] == []


def test_segments_are_one_stream_though_a_line_may_cross(folders: Folders) -> None:
    put(folders[0], "web-1.log.9", (1, "one"), (2, "two, beg"), end="")
    put(folders[0], "web-1.log.10", (3, "un"), (4, "three"))
    put(folders[0], "web-1.log", (5, "four"))
    _, lines = follow.tail(folders, lines=100)
    assert words(lines) == ["1:one", "1:two, begun", "1:three", "1:four"]
    assert [line.at for line in lines] == [1, 2, 4, 5]
    assert words(follow.tail(folders, lines=2)[1]) == ["1:three", "1:four"]


def test_last_words_without_a_newline_are_there(folders: Folders) -> None:
    put(folders[0], "web-1.log", (1, "fine"), (2, "Segmentation fau"), end="")
    assert words(follow.tail(folders, lines=5)[1]) == ["1:fine", "1:Segmentation fau"]
    assert follow.last_lines(folders[0], 1, 1) == ("Segmentation fau",)
    assert follow.last_lines(folders[0], 1) == ("fine", "Segmentation fau")
    assert follow.last_lines(folders[0], 2) == ()
    assert follow.last_lines(folders[0] / "absent", 2) == ()


def test_the_apps_own_files_are_read_and_dated_by_their_lines(folders: Folders) -> None:
    put(folders[0], "web-1.log", (1.0, "one"), (3.0, "three"))
    (folders[1] / "production.log").write_text("1970-01-01T00:00:02Z two\n  its trace\n1970-01-01 00:00:04 four\n")
    (folders[1] / "plain.log").write_text("undated\n")
    os.utime(folders[1] / "plain.log", (9, 9))
    (folders[1] / "data.bin").write_text("no log\n")
    assert words(follow.tail(folders, lines=9)[1]) == [
        "1:one",
        "production.log:1970-01-01T00:00:02Z two",
        "production.log:  its trace",
        "1:three",
        "production.log:1970-01-01 00:00:04 four",
        "plain.log:undated",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's file needs root to be made")
def test_an_app_cannot_show_files_that_are_not_its_own(folders: Folders, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    os.chown(folders[1], 65534, 65534)
    (folders[1] / "link.log").symlink_to(secret)
    os.link(secret, folders[1] / "hard.log")
    os.mkfifo(folders[1] / "pipe.log")
    (folders[1] / "own.log").write_text("own\n")
    os.chown(folders[1] / "own.log", 65534, 65534)
    assert words(follow.tail(folders, lines=9)[1]) == ["own.log:own"]
    linked = tmp_path / "linked"
    linked.symlink_to(folders[1])
    assert follow.tail((folders[0], linked), lines=9)[1] == []


def test_what_is_read_is_bounded(folders: Folders) -> None:
    line = "x" * 1023
    count = reading.TAIL_BYTES // 1024
    put(folders[0], "web-1.log", *[(float(number), line) for number in range(count + 50)])
    put(folders[0], "web-2.log", (9e9, "y" * 100_000), (9e9, "z"))
    _, lines = follow.tail(folders, lines=10_000)
    assert len(lines) == count - 1 + 2
    assert lines[0].at == 51.0
    assert lines[-2].text.endswith("y […cut]")
    assert len(lines[-2].text) < 66_000


def test_missing_folders_have_no_lines(tmp_path: Path) -> None:
    assert follow.tail((tmp_path / "a", tmp_path / "b"), lines=5)[1] == []


async def take(lines: AsyncIterator[LogLine], count: int) -> list[str]:
    with anyio.fail_after(5):
        return words([await anext(lines) for _ in range(count)])


async def test_following_goes_on_where_the_tail_ended(folders: Folders) -> None:
    put(folders[0], "web-1.log", (1, "old"))
    position, _ = follow.tail(folders, lines=5)
    clock = StandingClock(50.0)
    lines = follow.follow(position, clock)
    add(folders[0] / "web-1.log", "new\nnewer\n")
    add(folders[1] / "own.log", "hello\n")
    assert await take(lines, 3) == ["1:new", "1:newer", "own.log:hello"]
    add(folders[0] / "web-2.log", "another instance\n")
    line = await anext(lines)
    assert (line.source, line.text) == ("2", "another instance")
    assert line.at == clock.time


async def test_following_over_rotations_loses_and_repeats_nothing(folders: Folders) -> None:
    path = folders[0] / "web-1.log"
    put(folders[0], "web-1.log", (1, "old"))
    lines = follow.follow(follow.tail(folders, lines=0)[0], StandingClock())
    for number in range(5):
        add(path, f"a{number}\n")
        if number % 2:
            Shelf(folders[0]).set_aside("web-1.log")
        add(path, f"b{number}\n")
    assert await take(lines, 10) == [f"1:{word}{number}" for number in range(5) for word in "ab"]
    Shelf(folders[0]).set_aside("web-1.log")
    add(path, "end\n")
    assert await take(lines, 1) == ["1:end"]


async def test_a_follower_whose_segment_was_removed_goes_on_with_what_is_left(folders: Folders) -> None:
    path = folders[0] / "web-1.log"
    put(folders[0], "web-1.log", (1, "old"))
    position, _ = follow.tail(folders, lines=0)
    lines = follow.follow(position, StandingClock())
    add(path, "lost\n")
    keep = os.open(path, os.O_RDONLY)
    Shelf(folders[0]).set_aside("web-1.log")
    (folders[0] / "web-1.log.1").unlink()
    add(path, "left\n")
    assert await take(lines, 1) == ["1:left"]
    os.close(keep)


async def test_a_file_that_the_app_cuts_to_nothing_begins_anew(folders: Folders) -> None:
    own = folders[1] / "own.log"
    own.write_text("a long old line\n")
    lines = follow.follow(follow.tail(folders, lines=0)[0], StandingClock())
    own.write_text("short\n")
    assert await take(lines, 1) == ["own.log:short"]


async def test_an_unfinished_line_is_given_when_nothing_more_comes(folders: Folders) -> None:
    put(folders[0], "web-1.log", (1, "old"))
    clock = StandingClock(100.0)
    lines = follow.follow(follow.tail(folders, lines=0)[0], clock)
    add(folders[0] / "web-1.log", "Password: ")
    assert await take(lines, 1) == ["1:Password: "]
    assert clock.time - 100.0 >= 1.0
    add(folders[0] / "web-1.log", "wrong\n")
    assert await take(lines, 1) == ["1:wrong"]


async def test_one_busy_source_leaves_others_their_turn(folders: Folders) -> None:
    put(folders[0], "web-1.log", (1, "old"))
    put(folders[0], "web-2.log", (1, "old"))
    lines = follow.follow(Position(folders), StandingClock())
    await take(lines, 2)
    add(folders[0] / "web-1.log", ("x" * 1023 + "\n") * 2000)
    add(folders[0] / "web-2.log", "me too\n")
    found = await take(lines, 2001)
    assert found.index("2:me too") <= 300
    assert len(found) == 2001
