"""Releases change hands: all of a tree, nothing outside of it."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tako_modules.base.errors import TakoError
from tako_modules.server.ownership import DEEPEST, move_tree, open_tree, seal_tree

UID = 61_000
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A tree with what packages have: folders, programs, links inside and outside."""
    made = tmp_path / "release"
    (made / "bin" / "deep").mkdir(parents=True)
    (made / "bin" / "run").write_text("x")
    (made / "bin" / "run").chmod(0o6777)
    (made / "bin" / "deep" / "secret").write_text("x")
    (made / "bin" / "deep" / "secret").chmod(0o600)
    (made / "to-folder").symlink_to("bin")
    (made / "outside").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").mkdir(mode=0o777)
    (tmp_path / "outside" / "other").write_text("x")
    return made


def owners(tree: Path) -> set[tuple[int, int]]:
    """Tell who owns anything of a tree."""
    found = {tree.lstat(), *(path.lstat() for path in tree.rglob("*"))}
    return {(one.st_uid, one.st_gid) for one in found}


@ROOT
def test_it_is_given_whole_and_taken_back_whole(release: Path) -> None:
    open_tree(release, UID, UID)
    assert owners(release) == {(UID, UID)}
    seal_tree(release, UID)
    assert owners(release) == {(0, UID)}


@ROOT
def test_what_links_name_is_left_alone(release: Path, tmp_path: Path) -> None:
    before = [(tmp_path / name).stat() for name in ("outside", "outside/other")]
    open_tree(release, UID, UID)
    seal_tree(release, UID)
    after = [(tmp_path / name).stat() for name in ("outside", "outside/other")]
    assert [(one.st_uid, one.st_mode) for one in after] == [(one.st_uid, one.st_mode) for one in before]


@ROOT
def test_what_an_install_that_was_cut_short_left_is_given_again(release: Path) -> None:
    os.chown(release / "bin", UID, UID)
    (release / "bin").chmod(0)
    open_tree(release, UID, UID)
    assert owners(release) == {(UID, UID)}


@ROOT
def test_what_an_app_has_kept_is_moved_to_another_disk_too(release: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    os.chown(release / "bin" / "run", UID, UID)
    before = sorted(path.relative_to(release) for path in release.rglob("*"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    try:
        move_tree(release, disk / "kept")
        assert sorted(path.relative_to(disk / "kept") for path in (disk / "kept").rglob("*")) == before
        assert (disk / "kept" / "bin" / "run").stat().st_uid == UID
        assert (disk / "kept" / "outside").readlink() == tmp_path / "outside"
    finally:
        subprocess.run(["umount", disk], check=True)
    assert not release.exists()
    assert (tmp_path / "outside" / "other").exists()


def test_sealed_its_group_reads_and_nobody_writes(release: Path) -> None:
    seal_tree(release, None)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (release / "bin").rglob("*")}
    assert modes == {"run": 0o750, "deep": 0o750, "secret": 0o640}
    assert stat.S_IMODE(release.stat().st_mode) == 0o750


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(DEEPEST + 1):
        folder /= "a"
        folder.mkdir()
    with pytest.raises(TakoError, match="folders in more than"):
        seal_tree(tmp_path, None)
