"""What stands where a file is looked for: in words, for those who put it there."""

import errno
import stat
from pathlib import Path

__all__ = ["FILE_KIND", "kind_of", "kind_of_mode"]

FILE_KIND = "a file"
_KINDS = {
    stat.S_IFREG: FILE_KIND,
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def kind_of(path: Path) -> str:
    """Tell what a path is, links followed: "a file", "a folder", "a link in a circle"; "" when nothing is there."""
    try:
        return kind_of_mode(path.stat().st_mode)
    except OSError as error:
        return _kind_of_link(path, circle=error.errno == errno.ELOOP)


def _kind_of_link(path: Path, *, circle: bool) -> str:
    try:
        target = path.readlink()
    except OSError:
        return ""
    return "a link that leads in a circle" if circle else f"a dangling link (to {target})"


def kind_of_mode(mode: int) -> str:
    """Tell it from the mode of a file."""
    return _KINDS.get(stat.S_IFMT(mode), "something else")
