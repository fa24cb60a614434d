"""Commands and files over a real sshd: argv stay argv, outputs are whole and bounded, files are whole or absent."""

import os
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from tako_modules.base.errors import TakoError, Unreachable
from tako_modules.base.process import OUTPUT_LIMIT, Result
from tako_modules.ssh import dial
from tako_modules.ssh.shell import Shell

from .sshd import Sshd

WORDS = [
    "",
    " ",
    "a b",
    "it's",
    '"',
    "$HOME",
    "`id`",
    "$(id)",
    "\\",
    "\n",
    "*",
    "~",
    "-n",
    "ü",
    ";ls",
    "a'\"'b",
    "!x",
    "#",
]


def names(folder: Path) -> list[str]:
    """List a folder."""
    return sorted(path.name for path in folder.iterdir())


async def test_every_word_arrives_as_it_is(sshd: Sshd) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        done = await session.run("printf", "<%s>", *WORDS)
    assert done == Result(code=0, out="".join(f"<{word}>" for word in WORDS).encode())


@pytest.mark.parametrize(
    ("argv", "result"),
    [
        pytest.param(["true"], Result(), id="success"),
        pytest.param(["sh", "-c", "echo no >&2; exit 7"], Result(code=7, err=b"no\n"), id="failure"),
        pytest.param(["sh", "-c", "kill -9 $$"], Result(code=-9), id="signal"),
        pytest.param(["sh", "-c", "exec >&- 2>&-; exit 3"], Result(code=3), id="closed outputs"),
        pytest.param(["sh", "-c", "exec <&-; echo ok"], Result(out=b"ok\n"), id="reads no input"),
    ],
)
async def test_the_end_of_a_command_is_told(sshd: Sshd, argv: list[str], result: Result) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        assert await session.run(*argv, stdin=b"x" * 200_000) == result


async def test_input_and_both_outputs_flow_at_once(sshd: Sshd) -> None:
    data = os.urandom(3_000_000)
    async with dial.connect(sshd.login, sshd.access()) as session:
        done = await session.run("sh", "-c", "tee /dev/stderr", stdin=data)
    assert (done.out, done.err) == (data, data)


async def test_commands_run_side_by_side(sshd: Sshd, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[Result] = []

    async with dial.connect(sshd.login, sshd.access()) as session, anyio.create_task_group() as tasks:

        async def read() -> None:
            got.append(await session.run("cat", str(tmp_path / "pipe")))

        tasks.start_soon(read)
        await session.run("sh", "-c", f"echo hello > {tmp_path}/pipe")
    assert got == [Result(out=b"hello\n")]


async def test_a_command_that_takes_too_long_is_an_error_and_the_session_goes_on(sshd: Sshd) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        with pytest.raises(TakoError, match="cat on la did not end within 0 s"):
            await session.feed(["cat"], _endless(), 0.2)
        assert (await session.run("true")).code == 0


async def _endless() -> AsyncGenerator[bytes, None]:
    await anyio.sleep_forever()
    yield b""


async def test_a_command_that_prints_too_much_is_an_error(sshd: Sshd) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        with pytest.raises(TakoError, match="printed more than"):
            await session.run("head", "-c", str(OUTPUT_LIMIT + 1), "/dev/zero")
        assert (await session.run("true")).code == 0


async def test_a_connection_that_is_cut_is_unreachable(sshd: Sshd) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        with pytest.raises(Unreachable, match="the connection to la ended"):
            await session.run("sh", "-c", "kill -9 $PPID")
        with pytest.raises(Unreachable, match="the connection to la ended"):
            await session.run("true")


async def test_a_session_is_a_shell(sshd: Sshd) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        shell: Shell = session
        assert shell.name == "la"
        assert (session.user, sshd.user) == (sshd.user, (await shell.run("id", "-un")).out.decode().strip())


@pytest.mark.parametrize("size", [0, 1, 3_000_000], ids=lambda size: f"{size} bytes")
async def test_a_file_arrives_whole_with_its_mode(sshd: Sshd, tmp_path: Path, size: int) -> None:
    (tmp_path / "source").write_bytes(os.urandom(size))
    sent: list[int] = []
    async with dial.connect(sshd.login, sshd.access()) as session:
        await session.put(tmp_path / "source", str(tmp_path / "it's here"), mode=0o640, progress=sent.append)
        await session.put(b"secret", str(tmp_path / "key"), mode=0o600)
    assert (tmp_path / "it's here").read_bytes() == (tmp_path / "source").read_bytes()
    assert stat.S_IMODE((tmp_path / "it's here").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert sent == sorted(sent)
    assert sent[-1:] == ([size] if size else [])
    assert names(tmp_path) == ["it's here", "key", "source"]


async def test_a_file_that_cannot_be_written_says_why_and_leaves_nothing(sshd: Sshd, tmp_path: Path) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        with pytest.raises(TakoError, match=r"cannot write .*/none/file: .*No such file"):
            await session.put(b"x", str(tmp_path / "none/file"))
        with pytest.raises(TakoError, match="cannot write"):
            await session.put(b"x" * 100_000, "/dev/null/file")
    assert names(tmp_path) == []


async def test_a_source_that_cannot_be_read_is_named_at_once(sshd: Sshd, tmp_path: Path) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        with pytest.raises(TakoError, match=r"cannot read .*/none"):
            await session.put(tmp_path / "none", str(tmp_path / "file"))
    assert names(tmp_path) == []


async def test_an_old_file_stays_until_the_new_one_is_whole(sshd: Sshd, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    async with dial.connect(sshd.login, sshd.access()) as session:

        def cut(sent: int) -> None:
            assert target.read_bytes() == b"old"
            if sent > 500_000:
                raise TakoError("stop")

        with pytest.raises(TakoError, match="stop"):
            await session.put(b"n" * 2_000_000, str(target), progress=cut)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


async def test_bytes_that_change_on_the_way_are_noticed(sshd: Sshd, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"a" * 1_000_000)
    async with dial.connect(sshd.login, sshd.access()) as session:

        def change(sent: int) -> None:
            source.write_bytes(b"b" * 1_000_000)

        with pytest.raises(TakoError, match="SHA-256 differs"):
            await session.put(source, str(tmp_path / "file"), progress=change)
    assert not (tmp_path / "file").exists()


def test_importing_the_library_starts_no_process_and_changes_nothing() -> None:
    code = (
        "import subprocess, ctypes.util, sys; before = ctypes.util.find_library\n"
        "def no(*a, **k): raise SystemExit('a child process')\n"
        "subprocess.Popen.__init__ = no\n"
        "import tako_modules.ssh.library\n"
        "assert ctypes.util.find_library is before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
