"""What the server knows of itself: how often control has started, since which boot, and whose a system user is."""

from collections.abc import Container

import msgspec

from tako_modules.base import log
from tako_modules.base.errors import TakoError

from .db import DiskFull, Store

__all__ = ["FIRST_UID", "LAST_UID", "Begun", "begin", "give_uid", "take_uid"]

FIRST_UID = 60000  # above ordinary and below systemd's dynamic users (61184)
LAST_UID = 61183
EPOCHS_A_SECOND = 100  # control takes longer than that to start


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """One start of control; rebooted: the machine has booted since, so stored pids and monotonic times mean nothing."""

    epoch: int
    rebooted: bool


def begin(db: Store, boot: str, now: float) -> Begun:
    """Count one more start of control; boot: the machine's boot id; now: monotonic seconds.

    The clock has a part in the count, so that it grows also while a full disk lets nothing be written.
    """
    epoch = max(int(_read(db, "epoch") or 0) + 1, int(now * EPOCHS_A_SECOND))
    former = _read(db, "boot")
    try:
        with db.transaction():
            _write(db, "epoch", str(epoch))
            _write(db, "boot", boot)
    except DiskFull as problem:
        log.event("epoch.unwritten", epoch=epoch, message=problem.message)
    return Begun(epoch=epoch, rebooted=former not in ("", boot))


def _read(db: Store, name: str) -> str:
    rows = db.execute("SELECT value FROM server WHERE name = ?", (name,))
    return str(rows[0]["value"]) if rows else ""


def _write(db: Store, name: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO server (name, value) VALUES (?, ?)", (name, value))


def take_uid(db: Store, app: str, occupied: Container[int] = ()) -> int:
    """Give a deployment its uid, always the same one until `give_uid`; occupied: uids of other users of the machine.

    Raises TakoError when all are taken.
    """
    with db.transaction():
        found = db.execute("SELECT uid FROM uids WHERE app = ?", (app,))
        if found:
            return int(found[0]["uid"] or 0)
        taken = {row["uid"] for row in db.execute("SELECT uid FROM uids")}
        free = (uid for uid in range(FIRST_UID, LAST_UID + 1) if uid not in taken and uid not in occupied)
        uid = next(free, None)
        if uid is None:
            raise TakoError(
                f"all {LAST_UID - FIRST_UID + 1} users for apps are taken",
                hint="delete deployments that are not needed any more with `tako delete --purge`",
            )
        db.execute("INSERT INTO uids (uid, app) VALUES (?, ?)", (uid, app))
    return uid


def give_uid(db: Store, app: str) -> None:
    """Give a deployment's uid back: only when no file of it is left anywhere, also not in the trash."""
    with db.transaction():
        db.execute("DELETE FROM uids WHERE app = ?", (app,))
