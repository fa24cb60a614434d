"""Waiting for processes that tell nobody when they are ready."""

import select
import time
from collections.abc import Callable

__all__ = ["NeverHappened", "pause", "until"]

LOOK_SECONDS = 0.05


class NeverHappened(Exception):
    """What was waited for did not come."""


def pause(seconds: float) -> None:
    """Do nothing for a while: the length of a measurement is part of it."""
    select.select([], [], [], seconds)


def until(holds: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Look again and again; raises NeverHappened."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise NeverHappened(f"not within {seconds:g} s: {what}")
        pause(LOOK_SECONDS)
