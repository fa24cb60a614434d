"""What a server costs that has nothing to do: memory of each process, CPU time, how often it wakes."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.kit.local import Local

from .processes import cpu_seconds, memory, tree, wakeups
from .waiting import pause

__all__ = ["Idle", "idle"]

SETTLE_SECONDS = 3.0  # what follows a start or a deploy is over by then
ROLES = (("__control__", "control"), ("__worker__", "worker"), ("server/init/main.py", "init"))


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of process: MiB resident and with shared pages divided, CPU ms and wake-ups per minute."""

    role: str
    processes: int
    rss_mb: float
    pss_mb: float
    cpu_ms_per_minute: float
    wakeups_per_minute: float


def idle(server: Local, seconds: float) -> list[Idle]:
    """Watch a running server for so long; the last row is the whole."""
    assert server.process is not None
    pause(SETTLE_SECONDS)
    roles: dict[str, list[int]] = {}
    for pid in tree(server.process.pid):
        roles.setdefault(_role(pid), []).append(pid)
    everybody = [pid for pids in roles.values() for pid in pids]
    groups = {**roles, "all": everybody}
    before = {name: (cpu_seconds(*pids), wakeups(*pids)) for name, pids in groups.items()}
    pause(seconds)
    return [_row(name, pids, before[name], seconds) for name, pids in groups.items()]


def _row(role: str, pids: Iterable[int], before: tuple[float, int], seconds: float) -> Idle:
    mine = tuple(pids)
    used, woken = cpu_seconds(*mine) - before[0], wakeups(*mine) - before[1]
    held = memory(*mine)
    return Idle(
        role=role,
        processes=len(mine),
        rss_mb=held.rss / 1024,
        pss_mb=held.pss / 1024,
        cpu_ms_per_minute=used * 1e3 * 60 / seconds,
        wakeups_per_minute=woken * 60 / seconds,
    )


def _role(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    for word, role in ROLES:
        if any(part.endswith(word) for part in command[:8]):
            return role
    return "app"
