"""Who listens on a port: the kernel's tables, and the descriptors of every process."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from .facts import Holder

__all__ = ["holders"]

PROC = Path("/proc")
LISTEN = "0A"  # state of a listening socket in /proc/net/tcp
_SERVICE = re.compile(r"(?:0::|\d+:name=systemd:).*?/([^/]+\.service)")


def holders(ports: Iterable[int], proc: Path = PROC) -> dict[int, Holder]:
    """Find who listens on these ports, on any address; a listener without a process (a kernel's own) has pid 0."""
    listening = {inode: port for inode, port in _listeners(proc) if port in set(ports)}
    found = {port: Holder(0, "the kernel") for port in listening.values()}
    if not listening:
        return {}
    for process in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name), reverse=True):
        for inode in _inodes(process):
            if inode in listening:  # of several processes the oldest counts: it opened the listener
                found[listening[inode]] = Holder(int(process.name), _program(process), _unit(process))
    return found


def _listeners(proc: Path) -> Iterator[tuple[str, int]]:
    """Give inode and port of every listening TCP socket."""
    for name in ("tcp", "tcp6"):
        for row in _text(proc / "net" / name).splitlines()[1:]:
            words = row.split()
            if len(words) > 9 and words[3] == LISTEN:
                yield words[9], int(words[1].rpartition(":")[2], 16)


def _inodes(process: Path) -> Iterator[str]:
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return  # it has ended
    for descriptor in descriptors:
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def _program(process: Path) -> str:
    return _text(process / "comm").strip() or "a process"


def _unit(process: Path) -> str:
    """Name the systemd service of a process, from the path of its control group."""
    for row in _text(process / "cgroup").splitlines():
        found = _SERVICE.match(row)
        if found:
            return found[1]
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
