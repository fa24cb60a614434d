"""The one door to the state file: opening it safely, transactions, and what its errors mean.

Rules of the file: one process writes (control holds a flock), every change is inside `transaction()`, and a file that
cannot be understood is never written to.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from tako_modules.base.errors import TakoError

from . import schema

__all__ = ["DiskFull", "NewerSchema", "Store", "StoreBroken", "Value", "convert"]

Value = str | int | float | None
Row = dict[str, Value]
T = TypeVar("T")

APPLICATION_ID = 0x74616B6F  # "tako" in the file's header: another program's database is not taken for ours
BUSY_MILLISECONDS = 2000  # a person who reads the file with sqlite3 delays a write so long at the most
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PRIMARY = 0xFF  # an extended result code has the plain one in its lowest byte


class DiskFull(TakoError):
    """Nothing was changed: the disk of the data directory has no room."""

    code = "disk_full"


class StoreBroken(TakoError):
    """The state file cannot be read or written; it has been left as it is."""

    code = "store_broken"


class NewerSchema(TakoError):
    """A newer tako wrote the state file."""

    code = "newer_schema"


class Store:
    """An open state file; every method blocks for a few milliseconds at the most."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Open a state file, make it when there is none, and bring its tables up to date.

        Raises NewerSchema, StoreBroken, DiskFull.
        """
        _make_private(path)
        if path.stat().st_size:
            _check(path)
        with _words(path):
            store = cls(path, sqlite3.connect(path, isolation_level=None))
        try:
            store._begin_use()
        except BaseException:
            store.close()
            raise
        return store

    def _begin_use(self) -> None:
        self._connection.row_factory = _as_dictionary
        self.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = FULL")  # what was answered as done must survive a power cut
        self.execute("PRAGMA foreign_keys = ON")
        self.execute("PRAGMA trusted_schema = OFF")
        known = self.execute("PRAGMA user_version")[0]["user_version"] or 0
        for number, statements in schema.MIGRATIONS:
            if number > int(known):
                self._migrate(number, statements)

    def _migrate(self, number: int, statements: Sequence[str]) -> None:
        with self.transaction():
            for statement in statements:
                self.execute(statement)
            self.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self.execute(f"PRAGMA user_version = {number}")

    def close(self) -> None:
        """Let go of the file; what was committed is in it."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, also over kill -9 and a power cut; one inside another joins it.

        Raises DiskFull, StoreBroken: nothing of it is in the file then.
        """
        if self._is_inside():
            yield
            return
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._is_inside():  # a full disk has already ended it
                self.execute("ROLLBACK")
            raise

    def _is_inside(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, values: Mapping[str, Value] | Sequence[Value] = ()) -> list[Row]:
        """Run one statement and give its rows; values only as parameters."""
        with _words(self.path):
            return self._connection.execute(sql, values).fetchall()

    def execute_many(self, sql: str, values: Sequence[Mapping[str, Value]]) -> None:
        """Run one statement for each set of parameters."""
        with _words(self.path):
            self._connection.executemany(sql, values)


def convert(row: Row, kind: type[T]) -> T:
    """Make a frozen noun of one row; raises StoreBroken when the row is not one."""
    try:
        return msgspec.convert(row, kind, strict=False)
    except msgspec.ValidationError as error:
        raise StoreBroken(
            f"a row of the state file is not a {kind.__name__}: {error}",
            hint="the row was written by another version of tako: use that one, or put a backup there",
        ) from error


def _as_dictionary(cursor: sqlite3.Cursor, values: Sequence[Value]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}


def _make_private(path: Path) -> None:
    """Make the file before SQLite does: its journal files take over mode and owner."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise StoreBroken(
            f"cannot open {path}: {error.strerror}", hint=f"look at the folder with `ls -ld {path.parent}`"
        ) from error


def _check(path: Path) -> None:
    """Refuse what is damaged, newer or not ours; read-only, for even closing a writable connection may write."""
    with _words(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:

        def ask(sql: str) -> Value:
            row: tuple[Value, ...] | None = connection.execute(sql).fetchone()
            return row[0] if row else None

        known = int(ask("PRAGMA user_version") or 0)
        foreign = ask("PRAGMA application_id") != APPLICATION_ID
        if foreign and ask("SELECT count(*) FROM sqlite_schema"):
            raise _broken(path, "it is the database of another program")
        if known > schema.NEWEST:
            raise NewerSchema(
                f"{path} has schema {known}, this tako knows schemas up to {schema.NEWEST}",
                hint="use the newer tako that wrote it, or put a backup there",
            )
        found = ask("PRAGMA quick_check(1)")
        if found != "ok":
            raise _broken(path, str(found))


@contextmanager
def _words(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours; a broken rule of the schema is our own bug and stays as it is."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.Error as error:
        raise _translate(path, error) from error


def _translate(path: Path, error: sqlite3.Error) -> TakoError:
    code = int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY  # errors of the Python module itself have none
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(
            f"the disk of {path.parent} is full; nothing was changed",
            hint=f"free some space there (`df -h {path.parent}`) and run the command again",
        )
    if code in _DAMAGED:
        return _broken(path, str(error))
    return StoreBroken(f"cannot use {path}: {error}", hint=f"look at the disk with `df -h {path.parent}` and `dmesg`")


def _broken(path: Path, reason: str) -> StoreBroken:
    return StoreBroken(
        f"{path} is damaged and was left as it is: {reason}",
        hint=f"stop the server, move the file aside (`mv {path} {path}.damaged`; also its -wal and -shm), "
        "put a backup there or start empty and deploy each app again",
    )
