"""The state file in bad times: kills, full disks, damage, other programs' files."""

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tako_modules.base.errors import TakoError
from tako_modules.store import leases, schema, server
from tako_modules.store.db import DiskFull, NewerSchema, Store, StoreBroken


def test_a_new_file_is_private_durable_and_has_the_newest_schema(path: Path) -> None:
    store = Store.open(path)
    leases.next_fence(store, "shop")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    settings = [store.execute(f"PRAGMA {name}")[0][name] for name in ("journal_mode", "synchronous", "foreign_keys")]
    version = store.execute("PRAGMA user_version")
    store.close()
    assert set(modes.values()) == {0o600}
    assert settings == ["wal", 2, 1]
    assert version == [{"user_version": schema.NEWEST}]


def test_opening_again_finds_what_was_there(path: Path) -> None:
    for expected in (1, 2, 3):
        store = Store.open(path)
        assert leases.next_fence(store, "shop") == expected
        store.close()


def test_a_transaction_is_all_or_nothing(db: Store) -> None:
    def fail() -> None:
        with db.transaction():
            leases.next_fence(db, "shop")
            raise LookupError("in the middle")

    with pytest.raises(LookupError):
        fail()
    assert leases.load_all(db) == {}


KILLED = """
import os, signal, sys
from pathlib import Path
from tako_modules.store import leases
from tako_modules.store.db import Store
db = Store.open(Path(sys.argv[1]))
for _ in range(3):
    leases.next_fence(db, "shop")
with db.transaction():
    leases.next_fence(db, "shop")
    leases.next_fence(db, "blog")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_kill_9_in_a_transaction_keeps_what_was_committed_and_nothing_more(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    store = Store.open(path)
    assert leases.load_all(store) == {"shop": 3}
    store.close()


MIGRATING = """
import os, signal, sys
from pathlib import Path
from tako_modules.store import schema
from tako_modules.store.db import Store
class Deadly(tuple):
    def __iter__(self):
        yield from list(super().__iter__())[:4]
        os.kill(os.getpid(), signal.SIGKILL)
schema.MIGRATIONS = ((1, Deadly(schema.MIGRATIONS[0][1])),)
Store.open(Path(sys.argv[1]))
"""


def test_kill_9_in_a_migration_leaves_a_file_that_opens(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MIGRATING, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    store = Store.open(path)
    assert server.begin(store, "boot", 0.0).epoch == 1
    store.close()


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    store = Store.open(path)
    store.execute(f"PRAGMA user_version = {schema.NEWEST + 4}")
    store.close()
    before = path.read_bytes()
    with pytest.raises(NewerSchema, match=rf"has schema {schema.NEWEST + 4}.* up to {schema.NEWEST}") as caught:
        Store.open(path)
    assert "use the newer tako" in caught.value.hint
    assert path.read_bytes() == before


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(8192))


def _text(path: Path) -> None:
    path.write_text("this is not a database, it is a diary " * 200)


def _torn(path: Path) -> None:
    """Lose what lies behind the first page, as after a copy that did not end."""
    Store.open(path).close()
    with open(path, "r+b") as file:
        file.truncate(4096)


def _scribbled(path: Path) -> None:
    Store.open(path).close()
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096 * 3))


def _foreign(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE diary (page TEXT)")
    other.close()


@pytest.mark.parametrize("damage", [_zeros, _text, _torn, _scribbled, _foreign], ids=lambda damage: damage.__name__)
def test_a_file_that_is_not_a_whole_state_is_refused_and_left_alone(path: Path, damage: object) -> None:
    assert callable(damage)
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreBroken, match="was left as it is") as caught:
        Store.open(path)
    assert f"mv {path}" in caught.value.hint
    assert path.read_bytes() == before


def test_an_empty_file_is_a_state_that_was_never_written(path: Path) -> None:
    path.touch()
    store = Store.open(path)
    assert server.begin(store, "boot", 0.0).epoch == 1
    store.close()


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreBroken, match="cannot open"):
        Store.open(path)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreBroken, match="No such file") as caught:
        Store.open(tmp_path / "absent/state.sqlite3")
    assert "ls -ld" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root; the file-size limit below is for everybody")
def test_a_full_disk_changes_nothing_and_says_so(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk], check=True)
    try:
        _fill(disk)
    finally:
        subprocess.run(["umount", disk], check=True)


def _fill(disk: Path) -> None:
    store = Store.open(disk / "state.sqlite3")
    with pytest.raises(DiskFull) as caught:
        _write_apps(store)
    assert caught.value.code == "disk_full"
    assert "df -h" in caught.value.hint
    kept = leases.load_all(store)
    assert set(kept.values()) == {1}
    epochs = [server.begin(store, "boot", now).epoch for now in (100.0, 100.1, 100.2)]
    assert epochs == sorted(set(epochs)), "workers obey the newest control also where it could not be written down"
    store.close()
    store = Store.open(disk / "state.sqlite3")
    assert leases.load_all(store) == kept
    store.close()


def _write_apps(store: Store) -> None:
    for number in range(10_000):
        with store.transaction():
            leases.next_fence(store, f"app{number}.a")
            leases.next_fence(store, f"app{number}.b")


LIMITED = """
import resource, signal, sys
from pathlib import Path
from tako_modules.base.errors import TakoError
from tako_modules.store import leases
from tako_modules.store.db import Store
db = Store.open(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (Path(sys.argv[1] + "-wal").stat().st_size + 9000,) * 2)
given = 0
try:
    for given in range(1000):
        leases.next_fence(db, "shop")
except TakoError as error:
    print(given, leases.load_all(db)["shop"], error.code)
"""


def test_a_file_that_may_not_grow_changes_nothing_and_says_so(path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], check=True, capture_output=True, text=True)
    given, kept, code = done.stdout.split()
    assert int(given) == int(kept) > 0
    assert code in ("disk_full", TakoError.code, StoreBroken.code)
    store = Store.open(path)
    assert leases.load_all(store) == {"shop": int(kept)}
    store.close()
