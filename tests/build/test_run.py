"""The build command: its lines, its end."""

import os
import sys
from pathlib import Path

import anyio
import pytest

from tako_modules.base.errors import TakoError
from tako_modules.build.run import LINE_LIMIT, run_build


async def ended(pid: int) -> None:
    """Wait until a process that is not ours ends."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with anyio.fail_after(5):
            await anyio.wait_readable(descriptor)
    finally:
        os.close(descriptor)


ROOT = Path(__file__).resolve().parents[2]
OUTPUTS = {
    "plain": ("echo a; echo b", ["a", "b"]),
    "both streams": ("echo a; echo b >&2; echo c", ["a", "b", "c"]),
    "no line end": ("printf 'a\\nb'", ["a", "b"]),
    "nothing": ("true", []),
    "empty lines": ("printf '\\n\\n'", ["", ""]),
    "progress": ("printf '10%%\\r50%%\\r100%%\\n'", ["100%"]),
    "windows": ("printf 'a\\r\\n'", ["a"]),
    "no text": ("printf '\\377\\n'", ["\ufffd"]),
    "shell": ("X=1; [ -f mark ] && echo $X | tr 1 2", ["2"]),
    "no input": ("cat; echo end", ["end"]),
}


@pytest.mark.parametrize(("command", "lines"), OUTPUTS.values(), ids=OUTPUTS.keys())
async def test_lines(tmp_path: Path, command: str, lines: list[str]) -> None:
    (tmp_path / "mark").touch()
    seen: list[str] = []
    await run_build(command, tmp_path, seen.append)
    assert seen == lines


async def test_an_endless_line_is_broken(tmp_path: Path) -> None:
    seen: list[str] = []
    await run_build(f"head -c {LINE_LIMIT * 2 + 5} /dev/zero | tr '\\0' x", tmp_path, seen.append)
    assert [len(line) for line in seen] == [LINE_LIMIT, LINE_LIMIT, 5]


async def test_lines_come_while_it_runs(tmp_path: Path) -> None:
    seen: list[tuple[str, bool]] = []

    def see(line: str) -> None:
        seen.append((line, (tmp_path / "end").exists()))
        (tmp_path / "go").touch()

    await run_build("echo a; while [ ! -e go ]; do sleep 0.01; done; touch end; echo b", tmp_path, see)
    assert seen == [("a", False), ("b", True)]


@pytest.mark.parametrize(
    ("command", "words"),
    [("exit 3", "exit code 3"), ("kill -TERM $$", "SIGTERM"), ("no-such-program-x", "exit code 127")],
)
async def test_failure_says_how(tmp_path: Path, command: str, words: str) -> None:
    with pytest.raises(TakoError) as caught:
        await run_build(command, tmp_path, lambda _: None)
    assert words in caught.value.message
    assert command in caught.value.hint


async def test_failure_repeats_the_last_lines(tmp_path: Path) -> None:
    with pytest.raises(TakoError) as caught:
        await run_build("seq 100; exit 1", tmp_path, lambda _: None)
    assert caught.value.message.splitlines()[1:] == [f"    {number}" for number in range(81, 101)]


async def test_failure_repeats_nothing_where_it_was_seen(tmp_path: Path) -> None:
    with pytest.raises(TakoError) as caught:
        await run_build("seq 100; exit 1", tmp_path, lambda _: None, repeats=False)
    assert caught.value.message == "the build failed (exit code 1): seq 100; exit 1"


async def test_cancelling_ends_the_whole_group(tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks:

        def see(line: str) -> None:
            (tmp_path / "pid").write_text(line)
            tasks.cancel_scope.cancel()

        tasks.start_soon(run_build, "sleep 60 & echo $!; wait", tmp_path, see)
    await ended(int((tmp_path / "pid").read_text()))


async def test_what_it_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    with anyio.fail_after(5):
        await run_build("sleep 60 & echo $! > pid", tmp_path, lambda _: None)
    await ended(int((tmp_path / "pid").read_text()))


async def test_a_daemon_that_keeps_the_output_open_holds_nobody_up(tmp_path: Path) -> None:
    seen: list[str] = []
    with anyio.fail_after(10):
        await run_build(
            "setsid sh -c 'echo $$ > pid; exec sleep 60' & while [ ! -s pid ]; do :; done; echo a",
            tmp_path,
            seen.append,
        )
    assert seen == ["a"]
    os.kill(int((tmp_path / "pid").read_text()), 9)


async def test_it_ends_with_tako_however_that_ends(tmp_path: Path) -> None:
    program = "import anyio, sys\nfrom pathlib import Path\nfrom tako_modules.build.run import run_build\n"
    program += (
        "anyio.run(run_build, 'sleep 600 & echo $!; wait', Path(sys.argv[1]), lambda line: print(line, flush=True))"
    )
    argv = [sys.executable, "-c", program, str(tmp_path)]
    async with await anyio.open_process(argv, cwd=ROOT, stdin=None, stderr=None) as process:
        assert process.stdout is not None
        pid = int(await process.stdout.receive())
        process.kill()
        await ended(pid)
