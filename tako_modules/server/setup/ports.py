"""Who listens on a port, by name: the kernel's table of listeners, and the descriptors of every process."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tako_modules.supervisor import ports as kernel

from .facts import Holder

__all__ = ["holders"]

PROC = Path("/proc")
SYSTEMD = 1  # it keeps duplicates of its services' listeners, and the ones of its .socket units
_SERVICE = re.compile(r"^(?:0:|\d+:name=systemd):.*/([^/]+\.service)", re.MULTILINE)


def holders(ports: Iterable[int]) -> dict[int, Holder]:
    """Find who listens on these ports, on any address; a listener that no process has open is the kernel's own."""
    wanted = set(ports)
    inodes = {one.inode: one.port for one in kernel.listeners() if one.port in wanted}
    found: dict[int, set[int]] = defaultdict(set)
    for process in PROC.glob("[0-9]*") if inodes else ():
        pid = int(process.name)
        for inode in inodes.keys() & set(kernel.sockets(pid)):
            found[inodes[inode]].add(pid)
    return {port: _holder(found[port]) for port in set(inodes.values())}


def _holder(pids: set[int]) -> Holder:
    """Choose whom to name: the oldest process, which opened the listener, and systemd only when nobody else has it."""
    if not pids:
        return Holder(0, "the kernel")
    pid = min(pids - {SYSTEMD}, default=SYSTEMD)
    unit = _SERVICE.search(_text(pid, "cgroup"))
    return Holder(pid, _text(pid, "comm").strip() or "a process", unit[1] if unit else "")


def _text(pid: int, name: str) -> str:
    try:
        return (PROC / str(pid) / name).read_text(errors="replace")
    except OSError:
        return ""
