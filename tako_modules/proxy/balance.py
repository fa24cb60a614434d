"""Which instance gets the next request: policies by name; each takes candidates that are never empty."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

__all__ = ["POLICIES", "Candidate", "Policy", "least_busy"]


class Candidate(Protocol):
    """What a policy looks at."""

    @property
    def in_flight(self) -> int:
        """Requests and tunnels open at it."""


C = TypeVar("C", bound=Candidate)
Policy = Callable[[Sequence[C], int], C]


def least_busy(candidates: Sequence[C], turn: int) -> C:
    """Choose the one with the least in flight; among equals, each in its turn."""
    size = len(candidates)
    best = candidates[turn % size]
    for step in range(1, size):
        other = candidates[(turn + step) % size]
        if other.in_flight < best.in_flight:
            best = other
    return best


POLICIES = {"least": least_busy}
