"""Releases: the versions that a server keeps, each with its variables and its recipe."""

import msgspec

from tako_modules.model.release import Recipe, Release

from .db import Row, Store, StoreBroken, Value, convert

__all__ = ["load_all", "remove", "save"]

_SAVE = """
INSERT INTO releases (app, version, created_at, recipe, size, sha256, prepared, served)
VALUES (:app, :version, :created_at, :recipe, :size, :sha256, :prepared, :served)
ON CONFLICT (app, version) DO UPDATE SET created_at = excluded.created_at, recipe = excluded.recipe,
    size = excluded.size, sha256 = excluded.sha256, prepared = excluded.prepared, served = excluded.served
"""


def save(db: Store, release: Release) -> None:
    """Write one release whole, new or changed; its deployment must be there."""
    values = msgspec.structs.asdict(release)
    env = values.pop("env")
    values["recipe"] = None if release.recipe is None else msgspec.json.encode(release.recipe).decode()
    key = {"app": release.app, "version": release.version}
    with db.transaction():
        db.execute(_SAVE, values)
        db.execute("DELETE FROM env WHERE app = :app AND version = :version", key)
        db.execute_many(
            "INSERT INTO env (app, version, name, value) VALUES (:app, :version, :name, :value)",
            [{**key, "name": name, "value": value} for name, value in env.items()],
        )


def remove(db: Store, app: str, version: str) -> None:
    """Forget one release and its variables."""
    with db.transaction():
        db.execute("DELETE FROM releases WHERE app = ? AND version = ?", (app, version))


def load_all(db: Store) -> list[Release]:
    """Read all releases, by deployment and age."""
    env: dict[tuple[str, str], dict[str, str]] = {}
    for row in db.execute("SELECT app, version, name, value FROM env"):
        env.setdefault((str(row["app"]), str(row["version"])), {})[str(row["name"])] = str(row["value"])
    rows = db.execute("SELECT * FROM releases ORDER BY app, created_at, version")
    return [_release(row, env.get((str(row["app"]), str(row["version"])), {})) for row in rows]


def _release(row: Row, env: dict[str, str]) -> Release:
    recipe = _recipe(row.pop("recipe"))
    return msgspec.structs.replace(convert(row, Release), env=env, recipe=recipe)


def _recipe(text: Value) -> Recipe | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(str(text), type=Recipe)
    except msgspec.MsgspecError as error:
        raise StoreBroken(f"a recipe in the state file cannot be read: {error}") from error
