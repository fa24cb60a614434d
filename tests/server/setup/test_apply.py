"""Steps on a real disk; the ones for users, systemd and nft are tested on a real server."""

import grp
import os
import pwd
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

from tako_modules.base.clock import SystemClock
from tako_modules.base.errors import TakoError
from tako_modules.server.setup import apply, steps
from tako_modules.server.setup.steps import Access, Step

ME = (pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name)


def access(mode: int) -> Access:
    return Access(mode, *ME)


async def carried_out(*plan: Step) -> Sequence[str]:
    told: list[str] = []
    await apply.carry_out(plan, SystemClock(), told.append)
    return told


async def test_files_folders_and_links(tmp_path: Path) -> None:
    place = PurePosixPath(tmp_path)
    told = await carried_out(
        steps.MakeFolder(place / "a", access(0o751)),
        steps.WriteFile(place / "a/f", "one\n", access(0o640)),
        steps.Link(place / "current", "a"),
        steps.Link(place / "current", "b"),
        steps.SetAccess(place / "a", access(0o700)),
    )
    assert (tmp_path / "a/f").read_text() == "one\n"
    assert stat.S_IMODE((tmp_path / "a/f").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert (tmp_path / "current").readlink() == Path("b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "current"]
    assert told[0] == f"make the folder {tmp_path}/a ({':'.join(ME)} 0751)"


async def test_a_file_is_replaced_with_its_access(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    await carried_out(steps.WriteFile(PurePosixPath(tmp_path / "f"), "new", access(0o600)))
    assert (tmp_path / "f").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


async def test_bytes_of_others_survive(tmp_path: Path) -> None:
    """A comment in an authorized_keys file may be in any encoding."""
    line = b"ssh-rsa AAAA caf\xe9\n".decode(errors="surrogateescape")
    await carried_out(steps.WriteFile(PurePosixPath(tmp_path / "f"), line, access(0o600)))
    assert (tmp_path / "f").read_bytes() == b"ssh-rsa AAAA caf\xe9\n"


async def test_a_folder_that_others_use_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/f").touch()
    await carried_out(*(steps.DropEmptyFolder(PurePosixPath(tmp_path / name)) for name in ("mine", "theirs")))
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


async def test_what_cannot_be_done_names_the_step(tmp_path: Path) -> None:
    with pytest.raises(TakoError, match=r"cannot write .*nowhere/f .*No such file"):
        await carried_out(steps.WriteFile(PurePosixPath(tmp_path / "nowhere/f"), "x", access(0o600)))
