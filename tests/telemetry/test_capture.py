"""From pipe to file: nothing lost, nothing twice, nobody waits."""

import contextlib
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from tako_modules.base.clock import SystemClock
from tako_modules.telemetry import logfile, shelf, times
from tako_modules.telemetry.capture import Capture
from tako_modules.telemetry.times import Times

from .standing import StandingClock

Ends = tuple[int, int]


def text_of(folder: Path, name: str = "web-7.log") -> bytes:
    """Join all segments of a source, the oldest first."""
    older = sorted(folder.glob(f"{name}.*[0-9]"), key=lambda path: int(path.suffix[1:]))
    return b"".join(path.read_bytes() for path in [*older, folder / name])


def make(folder: Path) -> None:
    folder.mkdir()


def listing(folder: Path) -> dict[str, os.stat_result]:
    return {path.name: path.stat() for path in folder.iterdir()}


async def test_what_is_printed_is_in_the_file_with_its_times(folder: Path, pipe: Ends) -> None:
    clock = StandingClock(500.0)
    capture = Capture(folder, 7, pipe[0], clock)
    for second in range(3):
        os.write(pipe[1], f"line {second}\n".encode())
        assert capture.move() == 7
        clock.time += 1
    assert capture.move() == -1
    capture.finish()
    path = folder / "web-7.log"
    assert path.read_bytes() == b"line 0\nline 1\nline 2\n"
    found = Times((folder / "web-7.log.times").read_bytes(), 0.0)
    assert [found.at(offset) for offset in (0, 6, 7, 14, 20)] == [500.0, 500.0, 501.0, 502.0, 502.0]


@pytest.mark.parametrize(("rootless", "mode"), [(False, 0o640), (True, 0o600)])
async def test_who_may_read_it(folder: Path, pipe: Ends, rootless: bool, mode: int) -> None:
    before = os.umask(0o077)
    capture = Capture(folder, 7, pipe[0], StandingClock(), rootless=rootless)
    os.write(pipe[1], b"x")
    capture.move()
    capture.finish()
    os.umask(before)
    assert {stat.S_IMODE(found.st_mode) for found in listing(folder).values()} == {mode}


async def test_it_runs_until_the_end_and_gives_last_words(folder: Path, pipe: Ends) -> None:
    capture = Capture(folder, 7, pipe[0], SystemClock())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(capture.run)
        for number in range(50):
            os.write(pipe[1], b"%d\n" % number)
            await anyio.lowlevel.checkpoint()
        os.write(pipe[1], b"last words")
        os.close(pipe[1])
    capture.finish()
    capture.finish()
    assert text_of(folder) == b"".join(b"%d\n" % number for number in range(50)) + b"last words"


async def test_finish_ends_run_though_a_child_of_the_instance_holds_the_pipe(folder: Path, pipe: Ends) -> None:
    capture = Capture(folder, 7, pipe[0], SystemClock())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(capture.run)
        await anyio.wait_all_tasks_blocked()
        os.write(pipe[1], b"last words")
        capture.finish()
    assert text_of(folder) == b"last words"


async def test_many_small_lines_are_one_move(folder: Path, pipe: Ends) -> None:
    clock = StandingClock()
    capture = Capture(folder, 7, pipe[0], clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(capture.run)
        await anyio.wait_all_tasks_blocked()
        for _ in range(10):
            os.write(pipe[1], b"x\n")
        await anyio.wait_all_tasks_blocked()
        os.close(pipe[1])
    capture.finish()
    assert clock.slept == 1


async def test_a_new_control_goes_on_where_the_former_one_stopped(folder: Path, pipe: Ends) -> None:
    first = Capture(folder, 7, os.dup(pipe[0]), StandingClock(100.0))
    os.write(pipe[1], b"one\n")
    first.move()
    first.finish()
    index = folder / "web-7.log.times"
    index.write_bytes(index.read_bytes() + b"torn")
    second = Capture(folder, 7, pipe[0], StandingClock(200.0))
    os.write(pipe[1], b"two\n")
    second.move()
    second.finish()
    assert text_of(folder) == b"one\ntwo\n"
    found = Times((folder / "web-7.log.times").read_bytes(), 0.0)
    assert [found.at(offset) for offset in (0, 4)] == [100.0, 200.0]


KILLED = """
import anyio, os, sys
from pathlib import Path
from tako_modules.base.clock import SystemClock
from tako_modules.telemetry.capture import Capture
anyio.run(Capture(Path(sys.argv[1]), 7, int(sys.argv[2]), SystemClock()).run)
"""
PRINTING = """
import os
number = 0
while number < 400_000:
    os.write(1, b"".join(b"%d\\n" % n for n in range(number, number + 50)))
    number += 50
"""


async def drain(capture: Capture) -> None:
    await capture.run()
    capture.finish()


@pytest.mark.alone
def test_kill_9_of_control_loses_no_line(folder: Path, pipe: Ends) -> None:
    app = subprocess.Popen([sys.executable, "-IS", "-c", PRINTING], stdout=pipe[1])
    os.close(pipe[1])
    for _ in range(4):
        control = subprocess.Popen([sys.executable, "-c", KILLED, str(folder), str(pipe[0])], pass_fds=[pipe[0]])
        with contextlib.suppress(subprocess.TimeoutExpired):
            control.wait(0.25)
        control.send_signal(signal.SIGKILL)
        control.wait()
    anyio.run(drain, Capture(folder, 7, pipe[0], SystemClock()))
    assert app.wait() == 0
    assert text_of(folder).split() == [b"%d" % number for number in range(400_000)]


async def test_segments_end_at_a_line_and_nothing_is_lost(folder: Path, pipe: Ends) -> None:
    capture = Capture(folder, 7, pipe[0], StandingClock())
    line = b"x" * 4095 + b"\n"
    count = shelf.SEGMENT_BYTES // len(line) * 2 + 500
    for _ in range(count):
        os.write(pipe[1], line)
        capture.move()
    capture.finish()
    found = listing(folder)
    segments = {"web-7.log", "web-7.log.1", "web-7.log.2"}
    assert found.keys() == segments | {f"{name}.times" for name in segments}
    assert all(found[name].st_size <= shelf.SEGMENT_BYTES for name in segments)
    assert all((folder / name).read_bytes().endswith(b"\n") for name in segments)
    assert len(text_of(folder)) == count * len(line)


async def test_a_line_without_end_is_set_aside_all_the_same(folder: Path, pipe: Ends) -> None:
    capture = Capture(folder, 7, pipe[0], StandingClock())
    count = shelf.SEGMENT_BYTES // 65536 + 20
    for _ in range(count):
        os.write(pipe[1], b"x" * 65536)
        capture.move()
    capture.finish()
    assert (folder / "web-7.log.1").stat().st_size <= shelf.SEGMENT_BYTES + 2 * logfile.LINE_LIMIT
    assert len(text_of(folder)) == count * 65536


async def test_a_service_keeps_fifty_megabytes(folder: Path, pipe: Ends) -> None:
    capture = Capture(folder, 7, pipe[0], StandingClock())
    line = b"x" * 65535 + b"\n"
    for _ in range(75 * 16):
        os.write(pipe[1], line)
        capture.move()
    capture.finish()
    found = listing(folder)
    assert sum(one.st_size for one in found.values()) <= shelf.SERVICE_BYTES + logfile.TIDY_BYTES
    assert len([name for name in found if not name.endswith(".times")]) == 5


async def test_an_app_that_prints_once_a_second_for_ever_has_a_bounded_index(folder: Path, pipe: Ends) -> None:
    clock = StandingClock()
    path = folder / "web-7.log.times"
    path.write_bytes(b"".join(times.record(at, float(at)) for at in range(times.RECORDS - 2)))
    (folder / "web-7.log").write_bytes(b"\n" * (times.RECORDS - 2))
    capture = Capture(folder, 7, pipe[0], clock)
    for _ in range(5):
        os.write(pipe[1], b"\n")
        capture.move()
        clock.time += 1
    capture.finish()
    assert (folder / "web-7.log.1.times").stat().st_size == times.RECORDS * times.RECORD.size
    assert path.stat().st_size <= 4 * times.RECORD.size


async def test_a_link_is_not_followed(folder: Path, pipe: Ends, tmp_path: Path) -> None:
    target = tmp_path / "passwd"
    target.write_text("root")
    (folder / "web-7.log").symlink_to(target)
    capture = Capture(folder, 7, pipe[0], StandingClock())
    os.write(pipe[1], b"attack")
    assert capture.move() == 6
    capture.finish()
    assert target.read_text() == "root"


@contextmanager
def small_disk(path: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_a_full_disk_never_stops_the_app_and_is_confessed(
    folder: Path, pipe: Ends, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = StandingClock()
    with small_disk(folder):
        fat = folder / "fat"
        capture = Capture(folder, 7, pipe[0], clock)
        os.write(pipe[1], b"before\n")
        capture.move()
        fat.write_bytes(bytes(100 << 10))
        for _ in range(100):
            os.write(pipe[1], b"y" * 4095 + b"\n")
            assert capture.move() > 0
        fat.unlink()
        os.write(pipe[1], b"after\n")
        capture.move()
        capture.finish()
        text = (folder / "web-7.log").read_text()
    assert text.startswith("before\n")
    confession = re.search(
        r"\n\[tako\] (\d+) bytes before this line were lost: No space left on device\nafter\n$", text
    )
    assert confession
    kept = text[: confession.start()]
    assert int(confession[1]) + kept.count("y") + kept.count("y\n") == 100 * 4096
    assert capfd.readouterr().err.count("log.dropped") == 1


async def test_a_folder_that_is_gone_costs_the_output_not_the_app(folder: Path, pipe: Ends) -> None:
    later = folder / "later"
    capture = Capture(later, 7, pipe[0], StandingClock())
    os.write(pipe[1], b"lost")
    assert capture.move() == 4
    make(later)
    os.write(pipe[1], b"found\n")
    assert capture.move() == 6
    capture.finish()
    words = b"[tako] 4 bytes before this line were lost: No such file or directory\n"
    assert text_of(later) == words + b"found\n"


async def test_three_hundred_instances(folder: Path) -> None:
    ends = [os.pipe() for _ in range(300)]
    captures = [Capture(folder, number, end[0], SystemClock()) for number, end in enumerate(ends)]
    async with anyio.create_task_group() as tasks:
        for capture in captures:
            tasks.start_soon(capture.run)
        for line in (b"one\n", b"two\n"):
            await say(line, [end for _, end in ends])
        for _, end in ends:
            os.close(end)
    for capture in captures:
        capture.finish()
    assert {(folder / f"web-{number}.log").read_bytes() for number in range(300)} == {b"one\ntwo\n"}


async def say(line: bytes, ends: list[int]) -> None:
    for end in ends:
        os.write(end, line)
    await anyio.sleep(0.05)
