"""Deadlines of many connections at next to no cost: moving one is an attribute store.

Each item sits in exactly one slot of a second. When the slot is due and the item's deadline has moved on meanwhile, the
item goes to the later slot; only a deadline that moves to an earlier second has to be told (`watch`).
"""

import math
from typing import Protocol

__all__ = ["NEVER", "Expiring", "Wheel"]

NEVER = 1 << 60  # the slot of what is not in the wheel: later than any deadline
FOREVER = math.inf


class Expiring(Protocol):
    """Something with a deadline (seconds of the loop's clock, infinite for none); `slot` is the wheel's own."""

    deadline: float
    slot: int

    def expired(self) -> None:
        """Take note that the deadline has passed; the item is out of the wheel until it is watched again."""


class Wheel:
    """Slots of one second; an item is found late by less than a second."""

    __slots__ = ("_slots", "_turned")

    def __init__(self, now: float) -> None:
        self._slots: dict[int, set[Expiring]] = {}
        self._turned = int(now)  # the last slot that was emptied

    def watch(self, item: Expiring) -> None:
        """Put an item where its deadline belongs, unless it is looked at before that anyway."""
        if item.deadline == FOREVER:
            return
        slot = max(int(item.deadline) + 1, self._turned + 1)
        if slot >= item.slot:
            return
        self.forget(item)
        item.slot = slot
        self._slots.setdefault(slot, set()).add(item)

    def forget(self, item: Expiring) -> None:
        """Take an item out."""
        if item.slot != NEVER:
            self._slots[item.slot].discard(item)
            item.slot = NEVER

    def due(self, now: float) -> list[Expiring]:
        """Take out all items whose deadline has passed."""
        passed: list[Expiring] = []
        while self._turned < int(now):
            self._turned += 1
            for item in self._slots.pop(self._turned, ()):
                item.slot = NEVER
                if item.deadline <= now:
                    passed.append(item)
                else:
                    self.watch(item)
        return passed

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))
