"""Requests served, so that a restart of control does not lose count; `telemetry.metrics.Tally` is whose memory this is.

A row's key is (worker, app, version): the cumulative count of a worker that may still live, or, with worker "", the sum
of all that are gone. "deleted:" before a worker: what it had counted of deployments that were deleted since.
"""

from collections.abc import Mapping

import msgspec

from tako_modules.model.deployment import Counters

from .db import Store, convert

__all__ = ["Key", "load_all", "save_all"]

Key = tuple[str, str, str]

_SAVE = """
INSERT OR REPLACE INTO counters (
    worker, app, version, started, finished, failed, app_errors, bytes_in, bytes_out, longest_wait
) VALUES (
    :worker, :app, :version, :started, :finished, :failed, :app_errors, :bytes_in, :bytes_out, :longest_wait
)
"""


def save_all(db: Store, counts: Mapping[Key, Counters]) -> None:
    """Replace all counts; an idle server writes nothing."""
    if load_all(db) == counts:
        return
    rows = [
        {"worker": worker, "app": app, "version": version, **msgspec.structs.asdict(count)}
        for (worker, app, version), count in counts.items()
    ]
    with db.transaction():
        db.execute("DELETE FROM counters")
        db.execute_many(_SAVE, rows)


def load_all(db: Store) -> dict[Key, Counters]:
    """Read all counts."""
    found = {}
    for row in db.execute("SELECT * FROM counters"):
        key = (str(row.pop("worker")), str(row.pop("app")), str(row.pop("version")))
        found[key] = convert(row, Counters)
    return found
