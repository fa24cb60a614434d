"""Deployments: what each should be, and the rollout that is changing it."""

import msgspec

from tako_modules.model.deployment import Deployment, Rollout, Shape

from . import rollouts
from .db import Row, Store, convert

__all__ = ["load_all", "remove", "save"]

_SAVE = """
INSERT INTO apps (app, uid, version, stopped, next_number, rollout, last)
VALUES (:app, :uid, :version, :stopped, :next_number, :rollout, :last)
ON CONFLICT (app) DO UPDATE SET uid = excluded.uid, version = excluded.version, stopped = excluded.stopped,
    next_number = excluded.next_number, rollout = excluded.rollout, last = excluded.last
"""


def save(db: Store, deployment: Deployment) -> None:
    """Write a deployment whole: shape, routes, scaling, the rollout that runs and the last one; vitals are not kept."""
    shape = deployment.shape
    with db.transaction():
        db.execute(
            _SAVE,
            {
                "app": deployment.app,
                "uid": deployment.uid,
                "version": shape.version if shape else None,
                "stopped": deployment.stopped,
                "next_number": deployment.next_number,
                "rollout": deployment.rollout.id if deployment.rollout else None,
                "last": deployment.last.id if deployment.last else None,
            },
        )
        _save_shape(db, deployment.app, shape)
        for change in (deployment.last, deployment.rollout):
            if change is not None:
                rollouts.save(db, change)


def _save_shape(db: Store, app: str, shape: Shape | None) -> None:
    db.execute("DELETE FROM routes WHERE app = ?", (app,))
    db.execute("DELETE FROM scaling WHERE app = ?", (app,))
    if shape is None:
        return
    db.execute_many(
        "INSERT INTO routes (app, position, pattern) VALUES (:app, :position, :pattern)",
        [{"app": app, "position": at, "pattern": pattern} for at, pattern in enumerate(shape.routes)],
    )
    db.execute(
        "INSERT INTO scaling (app, instances, idle_timeout) VALUES (?, ?, ?)",
        (app, shape.instances, shape.idle_timeout),
    )


def remove(db: Store, app: str) -> None:
    """Forget a deployment with its releases, instances and history; its fence, uid and cooling ports stay."""
    with db.transaction():
        db.execute("DELETE FROM apps WHERE app = ?", (app,))


def load_all(db: Store) -> list[Deployment]:
    """Read all deployments, by id."""
    routes: dict[str, list[str]] = {}
    for row in db.execute("SELECT app, pattern FROM routes ORDER BY app, position"):
        routes.setdefault(str(row["app"]), []).append(str(row["pattern"]))
    rows = db.execute("SELECT * FROM apps LEFT JOIN scaling USING (app) ORDER BY app")
    changes = rollouts.load_named(db)
    return [_deployment(row, tuple(routes.get(str(row["app"]), ())), changes) for row in rows]


def _deployment(row: Row, routes: tuple[str, ...], changes: dict[str, Rollout]) -> Deployment:
    shape = None if row["version"] is None else convert(row, _Scaled).shape(routes)
    base = convert(row, _Base)
    return Deployment(
        app=base.app,
        uid=base.uid,
        shape=shape,
        stopped=base.stopped,
        next_number=base.next_number,
        rollout=changes.get(base.rollout or ""),
        last=changes.get(base.last or ""),
    )


class _Base(msgspec.Struct, frozen=True):
    app: str
    uid: int | None
    stopped: bool
    next_number: int
    rollout: str | None
    last: str | None


class _Scaled(msgspec.Struct, frozen=True):
    version: str
    instances: int
    idle_timeout: int

    def shape(self, routes: tuple[str, ...]) -> Shape:
        return Shape(version=self.version, routes=routes, instances=self.instances, idle_timeout=self.idle_timeout)
