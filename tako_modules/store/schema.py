"""The tables, as numbered migrations: a migration that was released is never changed, a new one is added below it."""

__all__ = ["MIGRATIONS", "NEWEST"]

_FIRST = (
    """CREATE TABLE server (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    # Who owns files of a deployment, also after it is gone.
    """CREATE TABLE uids (
        uid INTEGER PRIMARY KEY,
        app TEXT NOT NULL UNIQUE
    ) STRICT""",
    # The highest fence ever given: no foreign key, it outlives the deployment.
    """CREATE TABLE leases (
        app TEXT PRIMARY KEY,
        fence INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    # version NULL: it has no shape yet; rollout, last: ids of its rows in deployments.
    """CREATE TABLE apps (
        app TEXT PRIMARY KEY,
        uid INTEGER,
        version TEXT,
        stopped INTEGER NOT NULL,
        next_number INTEGER NOT NULL,
        rollout TEXT,
        last TEXT
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE routes (
        app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE,
        position INTEGER NOT NULL,
        pattern TEXT NOT NULL,
        PRIMARY KEY (app, position)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE scaling (
        app TEXT PRIMARY KEY REFERENCES apps ON DELETE CASCADE,
        instances INTEGER NOT NULL,
        idle_timeout INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    # recipe: JSON of model.release.Recipe.
    """CREATE TABLE releases (
        app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE,
        version TEXT NOT NULL,
        created_at REAL NOT NULL,
        recipe TEXT,
        size INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        prepared INTEGER NOT NULL,
        served INTEGER NOT NULL,
        PRIMARY KEY (app, version)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE env (
        app TEXT NOT NULL,
        version TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (app, version, name),
        FOREIGN KEY (app, version) REFERENCES releases ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID""",
    # One row per rollout; shapes are JSON of model.deployment.Shape.
    """CREATE TABLE deployments (
        id TEXT PRIMARY KEY,
        app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE,
        kind TEXT NOT NULL,
        shape_after TEXT NOT NULL,
        shape_before TEXT,
        window_seconds REAL NOT NULL,
        parallel INTEGER NOT NULL,
        committed INTEGER NOT NULL,
        undoing INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT NOT NULL,
        note TEXT NOT NULL,
        started_at REAL NOT NULL,
        finished_at REAL,
        deadline REAL NOT NULL,
        first_number INTEGER NOT NULL,
        requested_by TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX deployments_of_app ON deployments (app, started_at)",
    """CREATE TABLE instances (
        app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE,
        number INTEGER NOT NULL,
        version TEXT NOT NULL,
        port INTEGER NOT NULL,
        state TEXT NOT NULL,
        pid INTEGER,
        birth INTEGER,
        spawned_at REAL NOT NULL,
        healthy_at REAL,
        admitted INTEGER NOT NULL,
        withdrawn_at REAL,
        withdrawn_generation INTEGER,
        drained INTEGER NOT NULL,
        terminated_at REAL,
        killed INTEGER NOT NULL,
        gone INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        in_flight INTEGER NOT NULL,
        reason TEXT NOT NULL,
        warning TEXT NOT NULL,
        PRIMARY KEY (app, number)
    ) STRICT, WITHOUT ROWID""",
    # No foreign key: a port cools down also after its deployment was deleted. released_at: monotonic, NULL while held.
    """CREATE TABLE ports (
        port INTEGER PRIMARY KEY,
        app TEXT NOT NULL,
        number INTEGER NOT NULL,
        released_at REAL
    ) STRICT""",
    # worker '': the sum of all workers that are gone.
    """CREATE TABLE counters (
        worker TEXT NOT NULL,
        app TEXT NOT NULL,
        version TEXT NOT NULL,
        started INTEGER NOT NULL,
        finished INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        app_errors INTEGER NOT NULL,
        bytes_in INTEGER NOT NULL,
        bytes_out INTEGER NOT NULL,
        longest_wait INTEGER NOT NULL,
        PRIMARY KEY (worker, app, version)
    ) STRICT, WITHOUT ROWID""",
)

MIGRATIONS: tuple[tuple[int, tuple[str, ...]], ...] = ((1, _FIRST),)
NEWEST = MIGRATIONS[-1][0]
