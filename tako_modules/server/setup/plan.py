"""What is missing or different on a machine that shall be a server: facts → steps, nothing is done here."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import msgspec

from tako_modules.protocol.setup import InstallRequest

from . import layout, steps
from .facts import Account, Holder, Machine, Program, Receipt
from .steps import Access, Step

__all__ = ["COMMENT", "FEW", "PASSWORD_LOCK", "Plan", "Problem", "install"]

PASSWORD_LOCK = PurePosixPath("/etc/.pwd.lock")  # the user tools make it once and leave it there
COMMENT = "Tako server"
SHELL = "/bin/sh"  # sshd starts the forced command with it
NOLOGIN = "/usr/sbin/nologin"
FEW = 5  # names that a message lists
_OPEN = Access()
_KEEP = Access(mode=0o750, group=layout.GROUP)  # readable by the login user, never changed by it
_KEY_FILE = Access(mode=0o640, group=layout.GROUP)
_PARENTS = (
    layout.DATA.parent, layout.LAUNCHER.parent, layout.TMPFILES.parent, layout.HOME.parent,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """Why it cannot be done, and what to type."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, words beside them, and what forbids them all."""

    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    build: str = ""


def install(machine: Machine, request: InstallRequest, program: Program) -> Plan:
    """Plan how a machine becomes a server; nothing to do gives no steps."""
    problems = tuple(_problems(machine))
    if problems:
        return Plan(problems=problems)
    here = machine.entries.get(str(layout.CURRENT))
    if here is not None and here.detail != program.build and machine.is_active:
        note = f"it runs build {here.detail}, this program is build {program.build}: the server stays as it is"
        return Plan(tuple(_keys(machine, request)), (note,), build=here.detail)
    wanted = [*_accounts(machine), *_folders(machine, program), *_program(machine, request, program)]
    wanted += _keys(machine, request)
    wanted = [*_receipt(machine, wanted), *wanted]
    wanted += _unit(machine, wanted)
    return Plan(_in_order(wanted), tuple(_notes(machine)), build=program.build)


def _problems(machine: Machine) -> Iterator[Problem]:
    if not machine.is_systemd:
        yield Problem("this machine does not run systemd", "use a machine with systemd, e.g. Debian, Ubuntu or Fedora")
    if machine.strangers:
        names = ", ".join(machine.strangers[:FEW])
        yield Problem(
            f"there is a folder {layout.DATA} already, made by somebody else ({names})",
            f"move it away there: `mv {layout.DATA} {layout.DATA}.old`, then try again",
        )
    for port in layout.PORTS:
        holder = machine.holders.get(port)
        if holder is not None and holder.unit != layout.SERVICE:
            yield Problem(f"port {port} is taken by {holder.words}", f"{_stop(holder)}, then try again")
    for name in (layout.LOGIN_USER, layout.WORKER_USER):
        account = machine.accounts.get(name)
        if account is not None and account.comment != COMMENT:
            yield Problem(
                f"there is a user {name} already, made by somebody else (home {account.home})",
                f"rename it there: `usermod --login <other name> {name}`, then try again",
            )


def _stop(holder: Holder) -> str:
    if holder.unit:
        return f"stop it there: `systemctl disable --now {holder.unit}`"
    if holder.pid == 1:
        return "find its unit with `systemctl list-sockets` there, stop that with `systemctl disable --now`"
    return f"stop it there: `kill {holder.pid}`" if holder.pid else "look with `ss -tlnp` there"


def _notes(machine: Machine) -> Iterator[str]:
    if not machine.nft:
        yield "nft is not installed: an app that listens on all addresses can be reached from outside past the server"


def _accounts(machine: Machine) -> Iterator[Step]:
    if layout.GROUP not in machine.groups:
        yield steps.MakeGroup(layout.GROUP)
    login = machine.accounts.get(layout.LOGIN_USER)
    if login is None:
        home = str(layout.HOME)
        yield steps.MakeUser(layout.LOGIN_USER, COMMENT, home, SHELL, layout.GROUP)
    else:
        yield from _joined(login)
    if layout.WORKER_USER not in machine.accounts:
        yield steps.MakeUser(layout.WORKER_USER, COMMENT, "/nonexistent", NOLOGIN)


def _joined(login: Account) -> Iterator[Step]:
    if layout.GROUP not in login.groups:
        yield steps.JoinGroup(layout.LOGIN_USER, layout.GROUP)


def _folders(machine: Machine, program: Program) -> Iterator[Step]:
    for path in _PARENTS:
        if str(path) not in machine.entries:
            yield steps.MakeFolder(path, _OPEN)
    build = layout.BIN / program.build
    for path in (layout.DATA, layout.BIN, build, build / layout.RUNTIME):
        yield from _folder(machine, path, _OPEN)
    for path in (layout.HOME, layout.KEYS.parent):
        yield from _folder(machine, path, _KEEP)


def _folder(machine: Machine, path: PurePosixPath, access: Access) -> Iterator[Step]:
    if str(path) not in machine.entries:
        yield steps.MakeFolder(path, access)
    else:
        yield from _access(machine, path, access)


def _access(machine: Machine, path: PurePosixPath, access: Access) -> Iterator[Step]:
    entry = machine.entries[str(path)]
    if (entry.mode, entry.user, entry.group) != (access.mode, access.user, access.group):
        yield steps.SetAccess(path, access)


def _program(machine: Machine, request: InstallRequest, program: Program) -> Iterator[Step]:
    archive = layout.BIN / program.build / "tako.pyz"
    entry = machine.entries.get(str(archive))
    if entry is None or entry.detail != program.digest:
        yield steps.CopyArchive(program.archive, archive)
    done = archive.parent / layout.RUNTIME / program.runtime / ".compiled"
    if entry is None or str(done) not in machine.entries:
        yield steps.Unpack(archive, request.python)
    current = machine.entries.get(str(layout.CURRENT))
    if current is None or current.detail != program.build:
        yield steps.Link(layout.CURRENT, program.build)
    for path, (content, mode) in layout.texts(request.python, machine.nft).items():
        yield from _file(machine, path, content, Access(mode=mode))


def _file(machine: Machine, path: PurePosixPath, content: str, access: Access) -> Iterator[Step]:
    entry = machine.entries.get(str(path))
    if entry is None or entry.detail != hashlib.sha256(content.encode()).hexdigest():
        yield steps.WriteFile(path, content, access)
    else:
        yield from _access(machine, path, access)


def _keys(machine: Machine, request: InstallRequest) -> Iterator[Step]:
    """Append keys that are not there; what is there stays as it is."""
    known = {_key_data(line) for line in machine.keys}
    new = [key for key in dict.fromkeys(request.public_keys) if _key_data(key) not in known]
    if new:
        lines = [*machine.keys, *(layout.key_line(key) for key in new)]
        yield steps.WriteFile(layout.KEYS, "".join(f"{line}\n" for line in lines), _KEY_FILE)


def _key_data(line: str) -> str:
    """Give the key itself, without options and comment: the word after the type's name."""
    words = line.split()
    types = [at for at, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-", "sk-"))]
    return words[types[-1] + 1] if types and types[-1] + 1 < len(words) else line


def _receipt(machine: Machine, wanted: Sequence[Step]) -> Iterator[Step]:
    """Note what will be new, before it is made; all below the data folder is ours without a note."""
    old = machine.receipt or Receipt()
    paths = [str(path) for step in wanted for path in _makes(step) if _is_noted(machine, path)]
    users = [step.name for step in wanted if isinstance(step, steps.MakeUser)]
    groups = [step.name for step in wanted if isinstance(step, steps.MakeGroup)]
    if (users or groups) and str(PASSWORD_LOCK) not in machine.entries:
        paths.append(str(PASSWORD_LOCK))
    new = Receipt(
        paths=tuple(dict.fromkeys([*old.paths, *paths])),
        users=tuple(dict.fromkeys([*old.users, *users])),
        groups=tuple(dict.fromkeys([*old.groups, *groups])),
    )
    if machine.receipt != new:
        content = msgspec.json.format(msgspec.json.encode(new), indent=2).decode() + "\n"
        yield steps.WriteFile(layout.RECEIPT, content, Access(mode=0o600))


def _is_noted(machine: Machine, path: PurePosixPath) -> bool:
    return str(path) not in machine.entries and not path.is_relative_to(layout.DATA)


def _makes(step: Step) -> tuple[PurePosixPath, ...]:
    if isinstance(step, steps.MakeFolder | steps.WriteFile | steps.CopyArchive | steps.Link):
        return (step.path,)
    return ()


def _unit(machine: Machine, wanted: Sequence[Step]) -> Iterator[Step]:
    changed = {path for step in wanted for path in _makes(step)}
    if layout.TMPFILES in changed or str(layout.SOCKET.parent) not in machine.entries:
        yield steps.ApplyTmpfiles(layout.TMPFILES)
    if layout.UNIT in changed or machine.is_stale:
        yield steps.ReloadUnits()
    if not machine.is_enabled:
        yield steps.EnableUnit()
    if not machine.is_active:
        yield steps.StartUnit()
    elif {layout.UNIT, layout.CURRENT} & changed:
        yield steps.StartUnit(again=True)
    elif machine.nft and (layout.NFT_FILE in changed or not machine.is_nft_loaded):
        yield steps.LoadNft(machine.nft)


_ORDER = (steps.MakeFolder, steps.WriteFile)


def _in_order(wanted: Sequence[Step]) -> tuple[Step, ...]:
    """Put the receipt and its folders first, so that what a killed run made is known to the next one."""
    early = [step for step in wanted if isinstance(step, _ORDER) and _is_early(step.path)]
    early.sort(key=lambda step: isinstance(step, steps.WriteFile))
    return (*early, *(step for step in wanted if step not in early))


def _is_early(path: PurePosixPath) -> bool:
    return path == layout.RECEIPT or path in layout.RECEIPT.parents
