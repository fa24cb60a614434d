"""Root on a bare machine: by login or by sudo, one at a time, and nothing stays behind."""

import os
from pathlib import Path

import pytest

from tako_modules.base.errors import Locked, TakoError
from tako_modules.ssh import bootstrap, dial
from tako_modules.ssh.bootstrap import RootShell

from .sshd import Sshd


async def test_root_is_root_already(sshd: Sshd, tmp_path: Path) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        shell = await bootstrap.root_shell(session)
        assert (await shell.run("id", "-u")).out == b"0\n"
        await shell.put(b"x", str(tmp_path / "file"), mode=0o755)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o755


async def test_a_prefix_stands_before_every_command(sshd: Sshd, tmp_path: Path) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        shell = RootShell(session, ("env", "WHO=sudo"))
        assert (await shell.run("sh", "-c", "echo $WHO")).out == b"sudo\n"
        await shell.put(b"x" * 300_000, str(tmp_path / "file"))
        async with bootstrap.hold_lock(shell):
            pass
    assert (tmp_path / "file").stat().st_size == 300_000


async def try_lock(shell: RootShell) -> None:
    """Take the lock and let it go."""
    async with bootstrap.hold_lock(shell):
        pass


async def test_the_lock_is_held_by_one_and_ends_with_its_block(sshd: Sshd) -> None:
    async with dial.connect(sshd.login, sshd.access()) as one, dial.connect(sshd.login, sshd.access()) as two:
        async with bootstrap.hold_lock(RootShell(one, ())):
            holder = rf"la is being set up at this moment by \S+@\S+ \(pid {os.getpid()}\) since \d{{4}}-\S+Z$"
            with pytest.raises(Locked, match=holder) as caught:
                await try_lock(RootShell(two, ()))
            assert caught.value.exit_code == 3
        await free_again(RootShell(two, ()))


async def test_the_lock_ends_with_a_connection_that_is_cut(sshd: Sshd) -> None:
    async with dial.connect(sshd.login, sshd.access()) as two:
        async with dial.connect(sshd.login, sshd.access()) as one, bootstrap.hold_lock(RootShell(one, ())):
            one.connection.abort()
        await free_again(RootShell(two, ()))


async def free_again(shell: RootShell) -> None:
    """Take the lock as soon as its last holder has ended, which takes a moment on the host."""
    for _ in range(100):
        try:
            return await try_lock(shell)
        except Locked:
            continue
    pytest.fail("the lock outlives its holder")


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        pytest.param(("env", "PATH=/none"), "no flock|No such file", id="no flock"),
        pytest.param(("sh", "-c", "echo broken >&2; exit 1", "sh"), "broken", id="flock fails"),
    ],
)
async def test_a_lock_that_cannot_be_had_says_why(sshd: Sshd, prefix: tuple[str, ...], words: str) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        with pytest.raises(TakoError, match=words):
            async with bootstrap.hold_lock(RootShell(session, prefix)):
                pytest.fail("not held")
