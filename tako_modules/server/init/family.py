"""The children of init: who lives, and who ended and has not been acknowledged."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .requests import GROUP, INSTANCE, PROCESS, TASK, WORKER, Named
from .systemd import say

__all__ = ["CHECK", "CONTROL", "Child", "Family"]

CONTROL, CHECK = "control", "check"
REPORTED = (WORKER, INSTANCE, TASK)  # kinds that control is told about
REPORTS = 4096  # exits kept for a control that does not acknowledge: each holds a descriptor
START_FIELD = 19  # field 22 of /proc/<pid>/stat, counted after the name


class Child(NamedTuple):
    """One child: `descriptor` is its output pipe (a worker's: control's end of the channel); `code` once it ended."""

    kind: str
    id: str
    pid: int
    start: int
    build: int
    since: float
    descriptor: int | None = None
    retired: bool = False
    code: int | None = None
    ended: float = 0.0

    @property
    def name(self) -> Named:
        """Give the pair that names it for ever."""
        return Named(self.pid, self.start)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Give what control receives with it."""
        return () if self.descriptor is None else (self.descriptor,)

    def public(self, event: str) -> dict[str, object]:
        """Write it as the members of an event."""
        members: dict[str, object] = {
            "event": event,
            "kind": self.kind,
            "id": self.id,
            "pid": self.pid,
            "start": self.start,
            "build": self.build,
            "retired": self.retired,
            "since": self.since,
        }
        return members if self.code is None else {**members, "code": self.code, "ended": self.ended}


class Family:
    """Living children by pid, exit reports by name; only here are children signalled and reaped."""

    def __init__(self) -> None:
        self.living: dict[int, Child] = {}
        self.ended: dict[Named, Child] = {}

    def add(self, kind: str, ident: str, pid: int, build: int, descriptor: int | None = None) -> Child:
        """Take in a child that was just started."""
        child = Child(kind, ident, pid, start_time(pid), build, time.monotonic(), descriptor)
        self.living[pid] = child
        return child

    def find(self, name: Named) -> Child | None:
        """Find a living child; None when it ended, or the pid belongs to another one."""
        child = self.living.get(name.pid)
        return child if child is not None and child.start == name.start else None

    def serving(self, kind: str, ident: str) -> list[Child]:
        """Give the living children of a kind and id that are not retired."""
        return [
            child for child in self.living.values() if (child.kind, child.id, child.retired) == (kind, ident, False)
        ]

    def reported(self) -> list[Child]:
        """Give the living children that control is told about."""
        return [child for child in self.living.values() if child.kind in REPORTED]

    def retire(self, child: Child) -> None:
        """Mark a worker that is not replaced when it ends, and ask it to finish."""
        self.living[child.pid] = child._replace(retired=True)
        self.signal(child, signal.SIGTERM, PROCESS)

    def signal(self, child: Child, number: int, scope: str = "") -> None:
        """Send a signal: to the process group of an instance, to the process of a worker, unless told otherwise."""
        to_group = (scope or (PROCESS if child.kind == WORKER else GROUP)) == GROUP
        with suppress(ProcessLookupError):
            (os.killpg if to_group else os.kill)(child.pid, number)

    def destroy(self, child: Child) -> None:
        """Kill a child and what is left of its process group."""
        with suppress(PermissionError):  # rootless: what is left runs as somebody else, through a setuid program
            self.signal(child, signal.SIGKILL, GROUP)

    def reap(self) -> Iterator[Child]:
        """Yield who ended; what is left of an instance's group is killed while the pid is still its own."""
        while (pid := _next_ended()) is not None:
            child = self.living.pop(pid, None)
            if child is not None and child.kind in (INSTANCE, TASK):
                self.destroy(child)
            _, status = os.waitpid(pid, 0)
            if child is not None:  # else an orphan of an app's tree
                yield child._replace(code=os.waitstatus_to_exitcode(status), ended=time.monotonic())

    def keep(self, child: Child) -> None:
        """Keep an exit report and its descriptor until `forget`."""
        self.ended[child.name] = child
        if len(self.ended) > REPORTS:
            oldest = next(iter(self.ended))
            say(f"control acknowledges nothing: the exit of pid {oldest.pid} is forgotten")
            self.forget(oldest)

    def forget(self, name: Named) -> None:
        """Drop an exit report that was acknowledged; an unknown one is not an error."""
        child = self.ended.pop(name, None)
        for number in child.descriptors if child is not None else ():
            os.close(number)


def start_time(pid: int) -> int:
    """Read when a process started, in clock ticks since boot; a zombie still has it."""
    text = Path(f"/proc/{pid}/stat").read_bytes()
    return int(text.rpartition(b")")[2].split()[START_FIELD])


def _next_ended() -> int | None:
    """Find a child that ended, and leave it a zombie."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if found is None else found.si_pid
