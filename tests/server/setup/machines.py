"""Machines to plan for: a bare one, and one on which every step of a plan has been done."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

import msgspec

from tako_modules.protocol.setup import InstallRequest
from tako_modules.server.setup import layout, steps
from tako_modules.server.setup.facts import Account, Entry, Machine, Program, Receipt
from tako_modules.server.setup.steps import Step

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIkey"
PROGRAM = Program(build="b1", archive="/tmp/stage/tako.pyz", digest="d1", runtime="b1-cpython-311")
REQUEST = InstallRequest(apply=True, public_keys=(KEY,))
FOLDER = Entry("folder")


def bare() -> Machine:
    """A machine as its maker leaves it."""
    places = ("/opt", "/home", "/usr/local/bin", "/etc/tmpfiles.d", "/etc/.pwd.lock")
    return Machine(entries=dict.fromkeys(places, FOLDER), groups=frozenset({"root", "adm"}), nft="/usr/sbin/nft")


def after(machine: Machine, done: Iterable[Step]) -> Machine:
    """Carry steps out on facts."""
    for step in done:
        machine = _after(machine, step)
    return machine


def _after(machine: Machine, step: Step) -> Machine:
    entries = dict(machine.entries)
    match step:
        case steps.MakeGroup():
            return replace(machine, groups=machine.groups | {step.name})
        case steps.MakeUser():
            account = Account(step.comment, step.home, step.shell, (step.group or step.name,))
            return replace(
                machine,
                accounts={**machine.accounts, step.name: account},
                groups=machine.groups | {step.group or step.name},
            )
        case steps.MakeFolder() | steps.SetAccess():
            kind = entries.get(str(step.path), FOLDER)
            access = step.access
            entries[str(step.path)] = replace(kind, mode=access.mode, user=access.user, group=access.group)
        case steps.WriteFile():
            return _written(machine, step)
        case steps.CopyArchive():
            entries[str(step.path)] = Entry("file", detail=PROGRAM.digest)
        case steps.Unpack():
            done = step.archive.parent / layout.RUNTIME / PROGRAM.runtime / ".compiled"
            entries[str(done)] = Entry("file")
        case steps.Link():
            entries[str(step.path)] = Entry("link", detail=step.target)
        case steps.ApplyTmpfiles():
            entries[str(layout.SOCKET.parent)] = Entry("folder", 0o750, "root", "tako")
        case steps.DropFile() | steps.DropTree() | steps.DropEmptyFolder():
            return _dropped(machine, step.path)
        case _:
            return _switched(machine, step)
    return replace(machine, entries=entries)


def _switched(machine: Machine, step: Step) -> Machine:
    match step:
        case steps.EnableUnit():
            return replace(machine, is_enabled=True)
        case steps.StartUnit():
            return replace(machine, is_active=True, is_nft_loaded=bool(machine.nft))
        case steps.ReloadUnits():
            return replace(machine, is_stale=False)
        case steps.LoadNft():
            return replace(machine, is_nft_loaded=True)
        case steps.UnloadNft():
            return replace(machine, is_nft_loaded=False)
        case steps.StopUnit():
            return replace(machine, is_active=False, is_failed=False)
        case steps.DisableUnit():
            return replace(machine, is_enabled=False)
        case steps.DropUser():
            kept = {name: account for name, account in machine.accounts.items() if name != step.name}
            return replace(machine, accounts=kept)
        case steps.DropGroup():
            return replace(machine, groups=machine.groups - {step.name})
    return machine


def _written(machine: Machine, step: steps.WriteFile) -> Machine:
    digest = hashlib.sha256(step.content.encode()).hexdigest()
    entry = Entry("file", step.access.mode, step.access.user, step.access.group, digest)
    machine = replace(machine, entries={**machine.entries, str(step.path): entry})
    if step.path == layout.RECEIPT:
        return replace(machine, receipt=msgspec.json.decode(step.content, type=Receipt))
    if step.path == layout.KEYS:
        return replace(machine, keys=tuple(step.content.splitlines()))
    return machine


def _dropped(machine: Machine, path: PurePosixPath) -> Machine:
    kept = {at: entry for at, entry in machine.entries.items() if not PurePosixPath(at).is_relative_to(path)}
    machine = replace(machine, entries=kept)
    if layout.RECEIPT.is_relative_to(path):
        machine = replace(machine, receipt=None, apps={})
    if layout.KEYS.is_relative_to(path):
        machine = replace(machine, keys=())
    return replace(machine, trash=None) if path == layout.TRASH else machine
