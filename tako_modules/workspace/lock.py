"""One command at a time changes a project: a flock that ends with its process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tako_modules.base.errors import Locked
from tako_modules.base.files import file_lock

from .state import FOLDER, State

__all__ = ["project_lock"]


@contextmanager
def project_lock(state: State) -> Iterator[None]:
    """Hold the project's lock; raises Locked, naming the process that has it."""
    state.prepare()
    with file_lock(state.lock, block=False) as free:
        if not free:
            owner = state.lock.read_text(errors="replace").strip()[:20]
            who = f"process {owner}" if owner else "another process"
            raise Locked(f"{who} is building this project", hint=f"wait for it; the lock {FOLDER}/lock ends with it")
        state.lock.write_text(f"{os.getpid()}\n")
        yield
