"""Ports of instances: held by one, then cooling down before another may have them."""

import msgspec

from .db import Store

__all__ = ["COOLING_SECONDS", "Ports", "load", "release", "release_app", "release_unused", "take"]

COOLING_SECONDS = 60.0  # a late connection to an instance that ended must not reach another app's


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """What may not be given out now; newest: the port that was given out last, 0 when none was."""

    held: frozenset[int] = frozenset()
    cooling: frozenset[int] = frozenset()
    newest: int = 0


def load(db: Store, now: float) -> Ports:
    """Read which ports are held or cooling; now: monotonic seconds."""
    held: set[int] = set()
    cooling: set[int] = set()
    for row in db.execute("SELECT port, released_at FROM ports"):
        port, released = int(row["port"] or 0), row["released_at"]
        if released is None:
            held.add(port)
        elif 0 <= now - float(released) < COOLING_SECONDS:  # negative: the machine has booted since
            cooling.add(port)
    return Ports(held=frozenset(held), cooling=frozenset(cooling), newest=_newest(db))


def _newest(db: Store) -> int:
    rows = db.execute("SELECT value FROM server WHERE name = 'newest_port'")
    return int(rows[0]["value"] or 0) if rows else 0


def take(db: Store, port: int, app: str, number: int) -> None:
    """Give a port to an instance."""
    with db.transaction():
        db.execute(
            "INSERT OR REPLACE INTO ports (port, app, number, released_at) VALUES (?, ?, ?, NULL)", (port, app, number)
        )
        db.execute("INSERT OR REPLACE INTO server (name, value) VALUES ('newest_port', ?)", (str(port),))


def release(db: Store, app: str, number: int, now: float) -> None:
    """Take an instance's port back: it cools down from now (monotonic seconds); cooled ones are forgotten."""
    with db.transaction():
        db.execute(
            "UPDATE ports SET released_at = ? WHERE app = ? AND number = ? AND released_at IS NULL", (now, app, number)
        )
        _forget_cold(db, now)


def release_app(db: Store, app: str, now: float) -> None:
    """Take all ports of a deployment back."""
    with db.transaction():
        db.execute("UPDATE ports SET released_at = ? WHERE app = ? AND released_at IS NULL", (now, app))
        _forget_cold(db, now)


def release_unused(db: Store, now: float) -> None:
    """Take the ports of all instances back that have no row."""
    with db.transaction():
        db.execute(
            """UPDATE ports SET released_at = ? WHERE released_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM instances WHERE instances.app = ports.app AND instances.number = ports.number
            )""",
            (now,),
        )
        _forget_cold(db, now)


def _forget_cold(db: Store, now: float) -> None:
    db.execute("DELETE FROM ports WHERE released_at < ? OR released_at > ?", (now - COOLING_SECONDS, now))
