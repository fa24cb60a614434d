"""Fences: the number of the newest lease of each deployment id; it only grows, also when the deployment is deleted."""

from .db import Store

__all__ = ["load_all", "next_fence"]


def next_fence(db: Store, app: str) -> int:
    """Give the next number; it is on the disk before anybody sees it."""
    with db.transaction():
        rows = db.execute(
            """INSERT INTO leases (app, fence) VALUES (?, 1)
            ON CONFLICT (app) DO UPDATE SET fence = fence + 1 RETURNING fence""",
            (app,),
        )
    return int(rows[0]["fence"] or 0)


def load_all(db: Store) -> dict[str, int]:
    """Read the newest fence of every deployment id that ever had one."""
    return {str(row["app"]): int(row["fence"] or 0) for row in db.execute("SELECT app, fence FROM leases")}
