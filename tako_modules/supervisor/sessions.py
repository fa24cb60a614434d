"""Ending what an instance left behind when the whole server was killed: the processes of its session.

The kernel kills the leader with init; its children live on where no systemd ends the unit. A session's number is not
given to anybody else while one of its processes lives, so the stored pid still names it.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

from .ports import processes

__all__ = ["end_session"]


def end_session(leader: int, birth: int | None) -> int:
    """Kill the processes of a session that are this user's; gives their number.

    leader, birth: pid and start (clock ticks since boot) of its first process. Where the pid is another process' by
    now, nothing is touched.
    """
    found = processes()
    first = found.get(leader)
    if first is not None and first.start != birth:
        return 0
    left = [pid for pid, one in found.items() if one.session == leader and one.start >= (birth or 0) and _is_mine(pid)]
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(left)


def _is_mine(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}").stat().st_uid == os.geteuid()
    except FileNotFoundError:
        return False
