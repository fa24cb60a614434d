"""What the death of a whole server leaves of an instance is ended, and nothing else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tako_modules.supervisor.ports import processes
from tako_modules.supervisor.sessions import end_session

# A leader with a child in a process group of its own; both print their pid, then the leader ends when its input does.
PROGRAM = """
import os, sys, time
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    time.sleep(60)
print(os.getpid(), child, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def instance() -> Iterator["subprocess.Popen[str]"]:
    """A process with a session of its own."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=pipe, stdout=pipe, text=True, start_new_session=True
    ) as made:
        yield made
        made.kill()


def told(instance: "subprocess.Popen[str]") -> tuple[int, int, int]:
    """Give the leader's pid and birth, and its child's pid."""
    assert instance.stdout is not None
    leader, child = map(int, instance.stdout.readline().split())
    return leader, processes()[leader].start, child


def gone(pid: int) -> bool:
    """Tell whether a process has ended, its parent having waited or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def await_end(pid: int) -> None:
    """Wait for the end of a process that was killed."""
    try:
        os.waitid(os.P_PIDFD, os.pidfd_open(pid), os.WEXITED | os.WNOWAIT)
    except (ChildProcessError, ProcessLookupError):
        for _ in range(100_000):
            if gone(pid):
                return


def test_children_of_a_leader_that_died_are_ended(instance: "subprocess.Popen[str]") -> None:
    leader, birth, child = told(instance)
    instance.kill()
    instance.wait()
    assert not gone(child)
    assert end_session(leader, birth) == 1
    await_end(child)
    assert gone(child)


def test_a_pid_that_is_another_process_now_is_left_alone(instance: "subprocess.Popen[str]") -> None:
    leader, birth, child = told(instance)
    assert end_session(leader, birth - 1) == 0
    assert not gone(leader)
    assert not gone(child)
    os.kill(child, signal.SIGKILL)
