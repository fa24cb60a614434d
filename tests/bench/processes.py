"""What Linux tells about a process and all its descendants: CPU time, memory, waking."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Memory", "cpu_seconds", "free_port", "memory", "tree", "wakeups"]

GONE = (FileNotFoundError, ProcessLookupError)  # a process may end between two looks
PSS = re.compile(r"^Pss:\s+(\d+)", re.MULTILINE)
RSS = re.compile(r"^Rss:\s+(\d+)", re.MULTILINE)
VOLUNTARY = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Memory:
    """KiB: resident, and each shared page divided among those who share it."""

    rss: int = 0
    pss: int = 0


def tree(pid: int) -> list[int]:
    """Give a process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _text(task).split():
            found += tree(int(child))
    return found


def cpu_seconds(*pids: int) -> float:
    """Sum the CPU time so far of all threads of these processes (user and system)."""
    return sum(int((_text(file) or "0").split()[0]) for file in _thread_files(pids, "schedstat")) / 1e9


def wakeups(*pids: int) -> int:
    """Count how often these processes have gone to sleep so far."""
    return sum(_number(VOLUNTARY, _text(file)) for file in _thread_files(pids, "status"))


def memory(*pids: int) -> Memory:
    """Sum the memory of these processes."""
    texts = [_text(Path(f"/proc/{pid}/smaps_rollup")) for pid in pids]
    return Memory(rss=sum(_number(RSS, text) for text in texts), pss=sum(_number(PSS, text) for text in texts))


def free_port() -> int:
    """Find a TCP port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _thread_files(pids: tuple[int, ...], name: str) -> Iterator[Path]:
    for pid in pids:
        yield from Path(f"/proc/{pid}/task").glob(f"*/{name}")


def _number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 0


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except GONE:
        return ""
