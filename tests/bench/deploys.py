"""What a deploy takes: time by phase, and bytes sent."""

import os
import shutil
import time
from pathlib import Path

import msgspec

from tests.kit.local import Local
from tests.kit.projects import local_project

__all__ = ["Deploy", "deploys"]

BIG_FILES, BIG_BYTES = 200, 1 << 20  # 200 MB of what does not compress
CHANGED = b"changed"


class Deploy(msgspec.Struct, frozen=True, kw_only=True):
    """One deploy: seconds as the person waits, those of each phase, bytes sent and not sent."""

    what: str
    seconds: float
    phases: dict[str, float]
    sent: int
    saved: int


class _Server(msgspec.Struct, frozen=True):
    phases: dict[str, float]
    bytes_sent: int
    bytes_saved: int


class _Receipt(msgspec.Struct, frozen=True):
    servers: tuple[_Server, ...]


def deploys(server: Local, reps: int) -> list[Deploy]:
    """Deploy a small app again and again, then one of 200 MB: first, unchanged, one file changed."""
    small = local_project("small", server.root / "small")
    rows = [
        _deploy(server, small, "small app, first"),
        _middle([_deploy(server, small, "small app, unchanged") for _ in range(reps)]),
        _middle([_changed(server, small, number, "small app, one file changed") for number in range(reps)]),
    ]
    large = local_project("large", server.root / "large")
    (large / "files").mkdir()
    for number in range(BIG_FILES):
        (large / "files" / f"{number}.bin").write_bytes(os.urandom(BIG_BYTES))
    rows += [
        _deploy(server, large, "200 MB, first"),
        _deploy(server, large, "200 MB, unchanged"),
        _changed(server, large, 0, "200 MB, one file changed"),
    ]
    shutil.rmtree(large)
    return rows


def _changed(server: Local, folder: Path, number: int, what: str) -> Deploy:
    (folder / "changed.txt").write_bytes(CHANGED + str(number).encode())
    return _deploy(server, folder, what)


def _deploy(server: Local, folder: Path, what: str) -> Deploy:
    began = time.perf_counter()
    ran = server.tako("deploy", "--yes", "--json", cwd=folder, seconds=300)
    seconds = time.perf_counter() - began
    assert ran.code == 0, ran.err
    [one] = msgspec.json.decode(ran.out, type=_Receipt).servers
    return Deploy(what=what, seconds=seconds, phases=one.phases, sent=one.bytes_sent, saved=one.bytes_saved)


def _middle(rows: list[Deploy]) -> Deploy:
    """Give the row whose time is the median."""
    return sorted(rows, key=lambda row: row.seconds)[len(rows) // 2]
