"""Turn a fork of init into another program, step by step; a step that fails is named."""

import ctypes
import errno
import fcntl
import os
import resource
import select
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["CannotLaunch", "Identity", "Launch", "become_subreaper", "launch"]

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38  # <linux/prctl.h>
FIRST_GIVEN = 3  # the descriptors of a launch appear from here on
ASIDE = 64  # where they wait meanwhile: above the last place that LISTENERS + 1 descriptors can take
LAUNCH_DEADLINE = 5.0  # seconds from fork to exec: a hanging disk or cgroup must not stop init for ever
REPORT_LIMIT = 4096  # bytes of a failed step's name: a path has no more

_libc = ctypes.CDLL(None, use_errno=True)


class CannotLaunch(Exception):
    """A program was not started: errno, and the step that could not be done."""

    def __init__(self, number: int, step: str, reason: str = "") -> None:
        super().__init__(f"{step}: {reason or os.strerror(number)}")
        self.errno = number
        self.step = step


class Identity(NamedTuple):
    """Who a program runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Launch(NamedTuple):
    """One program to start.

    descriptors appear as 3, 4, …; `standard_input` as 0 (none: /dev/null); `output` as 1 and 2 (none: init's own);
    `seconds`: SIGALRM ends the program after that time, also over its exec.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str = "/"
    descriptors: tuple[int, ...] = ()
    standard_input: int | None = None
    output: int | None = None
    identity: Identity | None = None
    umask: int = 0o077
    nofile: int | None = None
    cgroups: tuple[str, ...] = ()
    oom_score_adj: int | None = None
    nice: int | None = None
    seconds: int = 0


def become_subreaper() -> None:
    """Make orphans of the apps' trees children of this process, so that they are reaped."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def launch(program: Launch) -> int:
    """Fork and execute; returns the pid once the program runs. Raises CannotLaunch."""
    try:
        receiver, sender = os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        raise CannotLaunch(error.errno or errno.EMFILE, "pipe") from error
    parent = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _run_child(program, parent, sender)
    except OSError as error:
        os.close(receiver)
        raise CannotLaunch(error.errno or errno.EAGAIN, "fork") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(sender)
    try:
        _await_exec(pid, receiver)
    finally:
        os.close(receiver)
    return pid


def _await_exec(pid: int, receiver: int) -> None:
    """Wait until the pipe closes at exec; words in it are the step that failed."""
    poller = select.poll()
    poller.register(receiver, select.POLLIN)
    if not poller.poll(LAUNCH_DEADLINE * 1000):
        os.kill(pid, signal.SIGKILL)  # reaped like any orphan: a process that waits in the kernel may not die now
        raise CannotLaunch(errno.ETIMEDOUT, "setup", f"not done within {LAUNCH_DEADLINE:.0f} s")
    words = os.read(receiver, REPORT_LIMIT)
    if words:
        os.waitpid(pid, 0)
        number, _, step = words.decode(errors="replace").partition(" ")
        raise CannotLaunch(int(number), step)


def _run_child(program: Launch, parent: int, sender: int) -> None:
    """Take every step; what comes after the last one is reached by a failure only. Never returns."""
    step, number, report = "setup", errno.EINVAL, sender
    try:
        signal.set_wakeup_fd(-1)  # the pipe is shared: a byte of ours would be a signal of the parent's
        report = fcntl.fcntl(sender, fcntl.F_DUPFD_CLOEXEC, ASIDE)
        for now in _become(program, parent):
            step = now
    except OSError as error:
        number = error.errno or errno.EINVAL
    finally:
        os.write(report, f"{number} {step}".encode(errors="replace")[:REPORT_LIMIT])
        os._exit(127)


def _become(program: Launch, parent: int) -> Iterator[str]:
    """Become the program; each step is named before it is taken."""
    yield "signals"
    _reset_signals()
    yield "session"
    os.setsid()
    yield "descriptors"
    _place_descriptors(program)
    yield from _limits(program)
    for path in program.cgroups:
        yield f"cgroup {path}"  # before exec: a socket keeps the cgroup in which it was made
        (Path(path) / "cgroup.procs").write_text("0")
    if program.identity is not None:
        yield "setuid"
        _change_identity(program.identity)
    yield "rights"
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after setuid, which clears it
    if os.getppid() != parent:
        os._exit(1)  # the parent died before the line above: nobody will send that signal
    yield f"chdir {program.cwd}"
    os.chdir(program.cwd)  # as the user it runs as, who must be able to enter
    yield f"exec {program.argv[0]}"
    signal.alarm(program.seconds)
    os.execvpe(program.argv[0], program.argv, program.env)  # noqa: S606 - no shell is meant


def _reset_signals() -> None:
    """Give default handlers and an empty mask: what is ignored or blocked would stay so over exec."""
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _place_descriptors(program: Launch) -> None:
    """Move descriptors to their places; dup2 makes them inheritable, all others close at exec."""
    given = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, ASIDE) for number in program.descriptors]
    source = program.standard_input
    os.dup2(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC) if source is None else source, 0)
    if program.output is not None:
        os.dup2(program.output, 1)
        os.dup2(program.output, 2)
    for place, number in enumerate(given, FIRST_GIVEN):
        os.dup2(number, place)


def _limits(program: Launch) -> Iterator[str]:
    """Set mask, limits and weights, while there may still be the right to; named like the steps around it."""
    os.umask(program.umask)
    if program.nofile is not None:
        yield "nofile"
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = program.nofile if hard == resource.RLIM_INFINITY else min(program.nofile, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # above `hard` needs CAP_SYS_RESOURCE
    if program.oom_score_adj is not None:
        yield "oom_score_adj"
        Path("/proc/self/oom_score_adj").write_text(str(program.oom_score_adj))
    if program.nice is not None:
        yield "nice"
        os.setpriority(os.PRIO_PROCESS, 0, program.nice)


def _change_identity(identity: Identity) -> None:
    """Become the user for good: from uid 0 the kernel clears every capability."""
    os.setgroups(identity.groups)
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option}")
