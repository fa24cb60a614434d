"""One command at a time changes a project: a flock that ends with its process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from tako_modules.base.clock import SystemClock, utc_text
from tako_modules.base.errors import Locked
from tako_modules.base.files import disk_errors, file_lock
from tako_modules.base.person import user_name

from .state import FOLDER, State

__all__ = ["project_lock"]

_RECORD_LIMIT = 4096  # bytes of the record of who has it: more is somebody else's file


class _Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who has the lock, and since when."""

    user: str
    pid: int
    since: str

    @property
    def words(self) -> str:
        """Name the holder, as in "… is building this project"."""
        return f"{self.user} (process {self.pid}, since {self.since})"


@contextmanager
def project_lock(state: State) -> Iterator[None]:
    """Hold the project's lock; raises Locked, naming who has it and since when."""
    state.prepare()
    with file_lock(state.lock, block=False) as free:
        if not free:
            raise Locked(
                f"{_holder(state)} is building this project",
                hint=f"wait until that has ended, and the lock {FOLDER}/lock with it, then run the command again",
            )
        mine = _Holder(user=user_name(), pid=os.getpid(), since=utc_text(SystemClock().now()))
        with disk_errors(f"write {FOLDER}/lock"):
            state.lock.write_bytes(msgspec.json.encode(mine) + b"\n")
        yield


def _holder(state: State) -> str:
    """Say who wrote the record; it may not be there yet."""
    try:
        with open(state.lock, "rb") as file:
            return msgspec.json.decode(file.read(_RECORD_LIMIT), type=_Holder).words
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return "another process"
