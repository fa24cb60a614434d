"""What is to go from a machine that shall be a server no longer: facts → steps, nothing is done here."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from tako_modules.base.text import size_text
from tako_modules.protocol.setup import RemoveRequest

from . import layout, steps
from .facts import Machine
from .plan import COMMENT, FEW, PASSWORD_LOCK, Plan, Problem
from .steps import Step

__all__ = ["remove"]

_OUR_FILES = (layout.UNIT, layout.TMPFILES, layout.LAUNCHER)
_SHARED = (layout.LAUNCHER.parent, layout.TMPFILES.parent, layout.HOME.parent, layout.DATA.parent)


def remove(machine: Machine, request: RemoveRequest, stamp: str) -> Plan:
    """Plan how all of an installation goes again; nothing to do gives no steps. stamp: of data in the trash."""
    if machine.apps and not request.delete_apps:
        names = ", ".join(machine.apps)
        problem = Problem(
            f"apps are deployed there: {names}", "add --delete-apps to delete them too, and --purge to keep no data"
        )
        return Plan(problems=(problem,))
    wanted = [*_service(machine), *_kept(machine, request, stamp), *_accounts(machine), *_home(machine)]
    wanted += _data(machine, request)  # with it goes the receipt: after all that is asked of it
    return Plan(tuple(wanted), tuple(_notes(machine, wanted, request)))


def _notes(machine: Machine, wanted: Sequence[Step], request: RemoveRequest) -> Iterator[str]:
    """Tell of data that stays, with words that still help when nobody knows this server any more."""
    moved = [step.size for step in wanted if isinstance(step, steps.KeepData)]
    if (moved or machine.trash is not None) and not request.purge:
        size = size_text(sum(moved) + (machine.trash or 0))
        yield f"{layout.TRASH} ({size}) stays on that machine; `rm -r {layout.TRASH}` there, as root, removes it"


def _service(machine: Machine) -> Iterator[Step]:
    if machine.is_active or machine.is_failed:
        yield steps.StopUnit()
    if machine.is_enabled:
        yield steps.DisableUnit()
    for path in _OUR_FILES:
        if str(path) in machine.entries:
            yield steps.DropFile(path)
    if str(layout.UNIT) in machine.entries or machine.is_active:
        yield steps.ReloadUnits()
    if machine.is_nft_loaded:
        yield steps.UnloadNft(machine.nft)
    if str(layout.SOCKET.parent) in machine.entries:
        yield steps.DropTree(layout.SOCKET.parent)


def _kept(machine: Machine, request: RemoveRequest, stamp: str) -> Iterator[Step]:
    if not request.purge:
        yield from (steps.KeepData(app, size, stamp) for app, size in machine.apps.items() if size)
    elif machine.trash is not None:
        yield steps.DropTree(layout.TRASH, machine.trash)


def _data(machine: Machine, request: RemoveRequest) -> Iterator[Step]:
    if str(layout.DATA) in machine.entries and not machine.strangers:
        size = sum(machine.apps.values()) if request.purge else 0
        yield steps.DropTree(layout.DATA, size, _listed("the certificates of ", machine.certificates))
    if machine.is_made(str(PASSWORD_LOCK)):
        yield steps.DropFile(PASSWORD_LOCK)
    for path in _SHARED:
        if machine.is_made(str(path)):
            yield steps.DropEmptyFolder(PurePosixPath(path))


def _accounts(machine: Machine) -> Iterator[Step]:
    ours = (layout.LOGIN_USER, layout.WORKER_USER)
    for name, account in machine.accounts.items():
        is_app = name not in ours and account.home.startswith(f"{layout.DATA}/")
        if is_app or (name in ours and account.comment == COMMENT):
            yield steps.DropUser(name)
            if name in machine.groups and name != layout.GROUP:
                yield steps.DropGroup(name)
    made = machine.receipt is None or layout.GROUP in machine.receipt.groups
    if layout.GROUP in machine.groups and made:
        yield steps.DropGroup(layout.GROUP)


def _home(machine: Machine) -> Iterator[Step]:
    """Remove the login user's home; of one that was there before only our keys go."""
    if str(layout.HOME) in machine.entries and (machine.receipt is None or machine.is_made(str(layout.HOME))):
        yield steps.DropTree(layout.HOME, others=_listed("", machine.home))
    elif _has_our_key(machine):
        kept = [line for line in machine.keys if str(layout.LAUNCHER) not in line]
        yield steps.WriteFile(layout.KEYS, "".join(f"{line}\n" for line in kept), steps.Access(mode=0o600))


def _listed(what: str, names: Sequence[str]) -> str:
    """Name the first of several things; "" for none."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return f"{what}{', '.join(names[:FEW])}{more}" if names else ""


def _has_our_key(machine: Machine) -> bool:
    return any(str(layout.LAUNCHER) in line for line in machine.keys)
