"""What a folder keeps."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tako_modules.telemetry import shelf
from tako_modules.telemetry.shelf import Shelf

MIB = 1 << 20


def put(folder: Path, name: str, size: int, changed: float, times: int = 0) -> Path:
    """Make a segment of a size without writing it."""
    path = folder / name
    with open(path, "wb") as file:
        file.truncate(size)
    os.utime(path, (changed, changed))
    if times:
        (folder / f"{name}.times").write_bytes(bytes(times))
    return path


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Hold a segment as its writer does."""
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_setting_aside_counts_up(folder: Path) -> None:
    for _ in range(3):
        put(folder, "web-7.log", 1, 1.0, times=16)
        Shelf(folder).set_aside("web-7.log")
    (folder / "web-7.log.1").unlink()
    put(folder, "web-7.log", 1, 1.0)
    Shelf(folder).set_aside("web-7.log")
    assert names(folder) == {
        "web-7.log.2",
        "web-7.log.2.times",
        "web-7.log.3",
        "web-7.log.3.times",
        "web-7.log.4",
        "web-7.log.1.times",
    }


def test_the_oldest_go_first_and_what_is_written_stays(folder: Path) -> None:
    live = put(folder, "web-1.log", 10 * MIB, 1.0)
    for number in range(2, 8):
        put(folder, f"web-{number}.log", 10 * MIB, float(number), times=16)
    (folder / "note.txt").write_text("somebody's own")
    with written(live):
        assert Shelf(folder).tidy() == shelf.SEGMENT_BYTES
    assert names(folder) == {"note.txt", "web-1.log"} | {
        name for number in (4, 5, 6, 7) for name in (f"web-{number}.log", f"web-{number}.log.times")
    }


@pytest.mark.parametrize(
    ("count", "share"),
    [(1, 10 * MIB), (2, 10 * MIB), (5, shelf.SERVICE_BYTES // 10), (300, shelf.SERVICE_BYTES // 600)],
)
def test_those_that_are_written_share_half(folder: Path, count: int, share: int) -> None:
    with ExitStack() as stack:
        for number in range(count):
            stack.enter_context(written(put(folder, f"web-{number}.log", 1, 1.0)))
        assert Shelf(folder).tidy() == share


def test_a_crash_loop_leaves_a_bounded_number(folder: Path) -> None:
    for number in range(shelf.FILES + 30):
        put(folder, f"web-{number}.log", 10, float(number))
    Shelf(folder).tidy()
    assert len(names(folder)) == shelf.FILES
    assert "web-29.log" not in names(folder)


def test_only_plain_files_are_listed(folder: Path) -> None:
    put(folder, "app.log", 1, 1.0)
    put(folder, "app.log.1", 1, 1.0)
    put(folder, "app.txt", 1, 1.0)
    (folder / "link.log").symlink_to("app.log")
    (folder / "folder.log").mkdir()
    os.mkfifo(folder / "pipe.log")
    opened = shelf.open_folder(folder)
    found = {segment.name: (segment.source, segment.order) for segment in shelf.list_segments(opened)}
    for name in ("link.log", "folder.log", "pipe.log"):
        with pytest.raises(OSError, match=r"plain|levels"):
            shelf.open_regular(opened, name)
    os.close(opened)
    assert found == {"app.log": ("app", shelf.NEWEST), "app.log.1": ("app", 1)}


def test_a_folder_that_is_a_link_is_not_opened(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(NotADirectoryError):
        shelf.open_folder(tmp_path / "link")
