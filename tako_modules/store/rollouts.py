"""The history of a deployment: one row per rollout, from its message to its end."""

import msgspec

from tako_modules.model.deployment import Kind, Outcome, Rollout, Shape

from .db import Row, Store, StoreBroken, Value, convert

__all__ = ["KEPT", "load", "load_named", "save", "trim"]

KEPT = 100  # rollouts of one deployment that `trim` leaves: months of daily deploys, a few KB

_SAVE = """
INSERT OR REPLACE INTO deployments (
    id, app, kind, shape_after, shape_before, window_seconds, parallel, committed, undoing, outcome, reason, note,
    started_at, finished_at, deadline, first_number, requested_by
) VALUES (
    :id, :app, :kind, :shape_after, :shape_before, :window, :parallel, :committed, :undoing, :outcome, :reason, :note,
    :started_at, :finished_at, :deadline, :first_number, :requested_by
)
"""


def save(db: Store, rollout: Rollout) -> None:
    """Write one rollout, new or changed; its deployment must be there."""
    values = msgspec.structs.asdict(rollout)
    after, before = values.pop("after"), values.pop("before")
    values["shape_after"] = msgspec.json.encode(after).decode()
    values["shape_before"] = None if before is None else msgspec.json.encode(before).decode()
    with db.transaction():
        db.execute(_SAVE, values)


def load(db: Store, app: str, limit: int = KEPT) -> list[Rollout]:
    """Read the rollouts of one deployment, newest first."""
    rows = db.execute("SELECT * FROM deployments WHERE app = ? ORDER BY started_at DESC, id DESC LIMIT ?", (app, limit))
    return [_rollout(row) for row in rows]


def load_named(db: Store) -> dict[str, Rollout]:
    """Read those that a deployment names as running or last, by id."""
    rows = db.execute("SELECT * FROM deployments WHERE id IN (SELECT rollout FROM apps UNION SELECT last FROM apps)")
    return {str(row["id"]): _rollout(row) for row in rows}


def trim(db: Store, app: str, keep: int = KEPT) -> None:
    """Forget all but the newest rollouts of one deployment."""
    with db.transaction():
        db.execute(
            """DELETE FROM deployments WHERE app = :app AND id NOT IN (
                SELECT id FROM deployments WHERE app = :app ORDER BY started_at DESC, id DESC LIMIT :keep
            )""",
            {"app": app, "keep": keep},
        )


def _rollout(row: Row) -> Rollout:
    """Read a row: the two shapes apart, everything else as `_Plain`, whose fields are the columns' names."""
    after, before = _shape(row["shape_after"]), _shape(row["shape_before"])
    if after is None:
        raise StoreBroken(f"the deployment {row['id']} in the state file has no shape")
    plain = msgspec.structs.asdict(convert(row, _Plain))
    window = plain.pop("window_seconds")
    return Rollout(after=after, before=before, window=window, **plain)


class _Plain(msgspec.Struct, frozen=True):
    id: str
    app: str
    kind: Kind
    window_seconds: float
    parallel: bool
    committed: bool
    undoing: bool
    outcome: Outcome
    reason: str
    note: str
    started_at: float
    finished_at: float | None
    deadline: float
    first_number: int
    requested_by: str


def _shape(text: Value) -> Shape | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(str(text), type=Shape)
    except msgspec.MsgspecError as error:
        raise StoreBroken(f"a shape in the state file cannot be read: {error}") from error
