"""Carry out the steps of a plan, one after the other; every one may be done again after a run that was killed."""

import contextlib
import grp
import os
import pwd
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from tako_modules.base import files, ids, process
from tako_modules.base.clock import Clock
from tako_modules.base.errors import TakoError, Unreachable
from tako_modules.mgmt.client import connect_unix

from ..ownership import move_tree
from . import layout, steps
from .steps import Access, Step

__all__ = ["carry_out"]

USER_SECONDS = 60.0  # for one of the user tools, on a busy disk
START_SECONDS = 90.0  # for systemd to say that the service is up; its own limit is as long
STOP_SECONDS = 120.0  # the unit's TimeoutStopSec and some
UNPACK_SECONDS = 300.0  # for unpacking and compiling on a small machine; it takes three seconds
HELLO_SECONDS = 30.0  # from a service that is up to a control that answers
END_SECONDS = 5.0  # for killed processes to be gone; userdel tells when they are not
LOOK_SECONDS = 0.1
JOURNAL_LINES = "5"  # the last words of a service that failed; more are one command away


async def carry_out(plan: Sequence[Step], clock: Clock, tell: Callable[[str], None]) -> None:
    """Carry out steps in order; raises TakoError at the first that cannot be done."""
    for step in plan:
        tell(step.text)
        with files.disk_errors(step.text):
            await _carry_out(step, clock)


async def _carry_out(step: Step, clock: Clock) -> None:
    match step:
        case steps.MakeFolder() | steps.SetAccess() | steps.WriteFile() | steps.CopyArchive() | steps.Link():
            _put(step)
        case steps.MakeGroup() | steps.MakeUser() | steps.JoinGroup() | steps.DropUser() | steps.DropGroup():
            await _account(step, clock)
        case steps.DropTree() | steps.DropFile() | steps.DropEmptyFolder():
            _drop(step)
        case steps.KeepData():
            _keep(step)
        case steps.StartUnit():
            await _start(step, clock)
        case steps.StopUnit():
            await _command(("systemctl", "stop", layout.SERVICE), seconds=STOP_SECONDS)
            await process.run(("systemctl", "reset-failed", layout.SERVICE))  # quiet when it did not fail
        case steps.Unpack():
            await _unpack(step)
        case _:
            await _command(_argv(step), seconds=STOP_SECONDS)


def _argv(
    step: steps.ApplyTmpfiles
    | steps.ReloadUnits
    | steps.EnableUnit
    | steps.DisableUnit
    | steps.LoadNft
    | steps.UnloadNft,
) -> tuple[str, ...]:
    match step:
        case steps.ApplyTmpfiles():
            return "systemd-tmpfiles", "--create", str(step.path)
        case steps.ReloadUnits():
            return "systemctl", "daemon-reload"
        case steps.EnableUnit():
            return "systemctl", "enable", layout.SERVICE
        case steps.DisableUnit():
            return "systemctl", "disable", layout.SERVICE
        case steps.LoadNft():
            return step.nft, "-f", str(layout.NFT_FILE)
        case steps.UnloadNft():
            return step.nft, "delete", "table", *layout.NFT_TABLE


def _put(step: steps.MakeFolder | steps.SetAccess | steps.WriteFile | steps.CopyArchive | steps.Link) -> None:
    path = Path(step.path)
    match step:
        case steps.MakeFolder():
            path.mkdir(mode=0o700, exist_ok=True)
            _set_access(path, step.access)
        case steps.SetAccess():
            _set_access(path, step.access)
        case steps.WriteFile():
            _write(path, step.content.encode(errors="surrogateescape"), step.access)
        case steps.CopyArchive():
            _write(path, Path(step.source).read_bytes(), Access())
        case steps.Link():
            beside = path.with_name(f".{path.name}.{ids.token(4)}")
            beside.symlink_to(step.target)
            beside.replace(path)
            files.sync_directory(path.parent)


def _write(path: Path, data: bytes, access: Access) -> None:
    """Replace a file whole; it has its owner before its name, so that nobody reads what is not for him."""
    beside = path.with_name(f".{path.name}.{ids.token(4)}")
    try:
        files.write_atomic(beside, data, 0o600)
        _set_access(beside, access)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    files.sync_directory(path.parent)


def _set_access(path: Path, access: Access) -> None:
    os.chown(path, pwd.getpwnam(access.user).pw_uid, grp.getgrnam(access.group).gr_gid, follow_symlinks=False)
    path.chmod(access.mode)


def _drop(step: steps.DropTree | steps.DropFile | steps.DropEmptyFolder) -> None:
    path = Path(step.path)
    match step:
        case steps.DropTree():
            _drop_tree(path)
        case steps.DropFile():
            path.unlink(missing_ok=True)
        case steps.DropEmptyFolder():
            if not any(path.iterdir()):
                path.rmdir()


def _drop_tree(path: Path) -> None:
    """Remove a folder; of ours what says that it is ours goes last, and of a disk's own folder only what is in it."""
    children = sorted(path.iterdir(), key=lambda child: child.name == layout.BIN.name)
    for child in children:
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
    if not path.is_mount():
        path.rmdir()


def _keep(step: steps.KeepData) -> None:
    target = Path(step.target)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    source = Path(layout.DATA / "apps" / step.app / "shared" / "data")
    move_tree(source, target)
    os.chown(target, 0, 0)  # its user goes, and the next one with that number must not enter


async def _account(
    step: steps.MakeGroup | steps.MakeUser | steps.JoinGroup | steps.DropUser | steps.DropGroup, clock: Clock
) -> None:
    match step:
        case steps.MakeGroup():
            argv: tuple[str, ...] = ("groupadd", "--system", step.name)
        case steps.MakeUser():
            group = ("--no-user-group", "--gid", step.group) if step.group else ("--user-group",)
            argv = ("useradd", "--system", "--no-create-home", "--home-dir", step.home, "--shell", step.shell)
            argv = (*argv, "--password", "*", "--comment", step.comment, *group, step.name)
        case steps.JoinGroup():
            argv = ("usermod", "--append", "--groups", step.group, step.user)
        case steps.DropUser():
            await _end_processes(pwd.getpwnam(step.name).pw_uid, clock)
            argv = ("userdel", step.name)
        case steps.DropGroup():
            if not _has_group(step.name):
                return  # userdel takes a user's own group with it, where /etc/login.defs says so
            argv = ("groupdel", step.name)
    await _command(argv, seconds=USER_SECONDS)


async def _end_processes(uid: int, clock: Clock) -> None:
    """End what still runs as a user, for instance a login that asks the server for its status: userdel wants that."""
    end = clock.monotonic() + END_SECONDS
    while (pids := _processes(uid)) and clock.monotonic() < end:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await clock.sleep(LOOK_SECONDS)


def _processes(uid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError):
            if folder.stat().st_uid == uid:
                found.append(int(folder.name))
    return found


def _has_group(name: str) -> bool:
    return any(group.gr_name == name for group in grp.getgrall())


async def _unpack(step: steps.Unpack) -> None:
    runtime = str(step.archive.parent / layout.RUNTIME)
    env = {"PATH": os.environ.get("PATH", os.defpath), "TAKO_CACHE": runtime}
    argv = (step.python, "-IS", str(step.archive), "__warm__")
    await _command(argv, seconds=UNPACK_SECONDS, env=env)


async def _start(step: steps.StartUnit, clock: Clock) -> None:
    verb = "restart" if step.again else "start"
    done = await process.run(("systemctl", verb, layout.SERVICE), timeout=START_SECONDS + STOP_SECONDS)
    if done.code != 0:
        raise TakoError(f"the server did not start: {await _journal(done.err)}", hint=f"look with {_LOOK}")
    end = clock.monotonic() + HELLO_SECONDS
    while True:
        try:
            async with await connect_unix(Path(layout.SOCKET)):
                return
        except Unreachable as error:
            if clock.monotonic() > end:
                words = await _journal(error.message.encode())
                raise TakoError(f"the server does not answer: {words}", hint=f"look with {_LOOK}") from error
        await clock.sleep(LOOK_SECONDS)


_LOOK = f"`journalctl -u {layout.SERVICE}` on that machine"


async def _journal(otherwise: bytes) -> str:
    """Give the last words of the service, or other words when the journal has none."""
    argv = ("journalctl", "--unit", layout.SERVICE, "--lines", JOURNAL_LINES, "--output", "cat", "--no-pager")
    shown = await process.run(argv)
    return (shown.out.strip() or otherwise.strip()).decode(errors="replace")


async def _command(argv: Sequence[str], *, seconds: float, env: dict[str, str] | None = None) -> None:
    done = await process.run(argv, timeout=seconds, env=env)
    if done.code != 0:
        words = (done.err.strip() or done.out.strip()).decode(errors="replace")
        raise TakoError(
            f"{' '.join(argv[:2])} failed: {words or f'code {done.code}'}", hint="run the same command again"
        )
