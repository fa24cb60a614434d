"""Look at the machine this runs on, as root and without changing anything."""

import grp
import os
import pwd
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from tako_modules.base import files, process
from tako_modules.base.paths import ServerPaths

from ..host import tree_size
from . import layout, ports
from .facts import Account, Entry, Machine, Program, Receipt
from .plan import PASSWORD_LOCK

__all__ = ["APP_USER", "look"]

APP_USER = re.compile(r"tako-[0-9a-f]{8}")  # made by the server for a deployment: see base.ids
SYSTEMD = Path("/run/systemd/system")  # there when systemd is the running init: see sd_booted(3)
SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
SHOW = ("systemctl", "show", layout.SERVICE, "--property=ActiveState,UnitFileState,NeedDaemonReload")
RUNNING = {"active", "activating", "reloading", "deactivating"}
FIXED = (
    layout.DATA, layout.BIN, layout.CURRENT, layout.RECEIPT, layout.NFT_FILE, layout.TRASH, layout.HOME,
    layout.KEYS.parent, layout.KEYS, layout.LAUNCHER, layout.TMPFILES, layout.UNIT, layout.SOCKET.parent,
    layout.DATA.parent, layout.HOME.parent, layout.LAUNCHER.parent, layout.TMPFILES.parent, PASSWORD_LOCK,
)  # fmt: skip


async def look(program: Program) -> Machine:
    """Collect the facts that plans ask for."""
    is_systemd = _is_systemd()
    state = await _unit_state() if is_systemd else {}
    nft = shutil.which("nft", path=SBIN) or ""
    return Machine(
        is_systemd=is_systemd,
        entries=dict(_entries(program)),
        accounts=dict(_accounts()),
        groups=frozenset(group.gr_name for group in grp.getgrall()),
        keys=_lines(Path(layout.KEYS)),
        is_enabled=state.get("UnitFileState") == "enabled",
        is_active=state.get("ActiveState") in RUNNING,
        is_failed=state.get("ActiveState") == "failed",
        is_stale=state.get("NeedDaemonReload") == "yes",
        holders=ports.holders(layout.PORTS),
        nft=nft,
        is_nft_loaded=bool(nft) and (await process.run([nft, "list", "table", *layout.NFT_TABLE])).code == 0,
        receipt=_receipt(),
        apps=dict(_apps()),
        trash=_trash(),
        strangers=_strangers(),
        certificates=_certificates(ServerPaths(Path(layout.DATA)).certificates),
        home=tuple(sorted(_names(Path(layout.HOME)) - {layout.KEYS.parent.name})),
    )


def _is_systemd() -> bool:
    return SYSTEMD.is_dir()


async def _unit_state() -> dict[str, str]:
    shown = await process.run(SHOW)
    pairs = (line.partition("=") for line in shown.out.decode(errors="replace").splitlines())
    return {key: value for key, _, value in pairs}


def _entries(program: Program) -> Iterator[tuple[str, Entry]]:
    build = layout.BIN / program.build
    own = (build, build / "tako.pyz", build / layout.RUNTIME, build / layout.RUNTIME / program.runtime / ".compiled")
    for path in (*FIXED, *own):
        entry = _entry(path)
        if entry is not None:
            yield str(path), entry


def _entry(path: PurePosixPath) -> Entry | None:
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind, detail = "other", ""
    if stat.S_ISLNK(found.st_mode):
        kind, detail = "link", str(Path(path).readlink())
    elif stat.S_ISREG(found.st_mode):
        kind, detail = "file", files.file_digest(Path(path))
    elif stat.S_ISDIR(found.st_mode):
        kind = "folder"
    return Entry(kind, stat.S_IMODE(found.st_mode), _user_name(found.st_uid), _group_name(found.st_gid), detail)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _accounts() -> Iterator[tuple[str, Account]]:
    """Give our users and those of deployments: other users are no business of ours."""
    for user in pwd.getpwall():
        if user.pw_name in (layout.LOGIN_USER, layout.WORKER_USER) or APP_USER.fullmatch(user.pw_name):
            more = [group.gr_name for group in grp.getgrall() if user.pw_name in group.gr_mem]
            groups = (_group_name(user.pw_gid), *more)
            yield user.pw_name, Account(user.pw_gecos, user.pw_dir, user.pw_shell, groups)


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(errors="surrogateescape").splitlines())
    except (FileNotFoundError, NotADirectoryError):
        return ()


def _receipt() -> Receipt | None:
    try:
        return msgspec.json.decode(Path(layout.RECEIPT).read_bytes(), type=Receipt)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def _strangers() -> tuple[str, ...]:
    """List the data folder when it is not ours: a run that was killed at once leaves at most an empty `bin`."""
    if os.path.lexists(layout.RECEIPT) or os.path.lexists(layout.CURRENT):
        return ()
    found = (_names(Path(layout.DATA)) - {layout.BIN.name, "lost+found"}) | _names(Path(layout.BIN))
    return tuple(sorted(found))


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _certificates(folder: Path) -> tuple[str, ...]:
    """Name what has any file below the folder of certificates."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(path.name for path in found if not path.is_dir() or any(one.is_file() for one in path.rglob("*")))


def _trash() -> int | None:
    trash = Path(layout.TRASH)
    return tree_size(trash) if trash.is_dir() else None


def _apps() -> Iterator[tuple[str, int]]:
    try:
        folders = sorted(Path(layout.DATA / "apps").iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for folder in folders:
        if folder.is_dir() and not folder.is_symlink():
            yield folder.name, tree_size(folder / "shared" / "data")
