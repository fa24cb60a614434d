"""Instances: which process is which, so that a new control finds those that a former one started."""

import msgspec

from tako_modules.model.instance import Instance

from .db import Store, convert

__all__ = ["load_all", "remove", "save"]

_SAVE = """
INSERT OR REPLACE INTO instances (
    app, number, version, port, state, pid, birth, spawned_at, healthy_at, admitted, withdrawn_at,
    withdrawn_generation, drained, terminated_at, killed, gone, failures, in_flight, reason, warning
) VALUES (
    :app, :number, :version, :port, :state, :pid, :birth, :spawned_at, :healthy_at, :admitted, :withdrawn_at,
    :withdrawn_generation, :drained, :terminated_at, :killed, :gone, :failures, :in_flight, :reason, :warning
)
"""


def save(db: Store, instance: Instance) -> None:
    """Write one instance, new or changed; its deployment must be there."""
    with db.transaction():
        db.execute(_SAVE, msgspec.structs.asdict(instance))


def remove(db: Store, app: str, number: int) -> None:
    """Forget an instance; its port is given back with `ports.release`."""
    with db.transaction():
        db.execute("DELETE FROM instances WHERE app = ? AND number = ?", (app, number))


def load_all(db: Store) -> list[Instance]:
    """Read all instances, by deployment and number."""
    return [convert(row, Instance) for row in db.execute("SELECT * FROM instances ORDER BY app, number")]
