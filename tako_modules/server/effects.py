"""What follows from settled facts: snapshots for the data plane, and news for those who wait for a rollout."""

from tako_modules.base.clock import Clock
from tako_modules.plan.steps import Step

from .ledger import Ledger
from .publish import Publisher
from .registry import Entry
from .steps import Steps

__all__ = ["Effects"]


class Effects:
    """The inbox' hands: steps, then one snapshot for all that a fact has changed."""

    def __init__(self, steps: Steps, ledger: Ledger, publisher: Publisher, clock: Clock) -> None:
        self._steps = steps
        self._ledger = ledger
        self._publisher = publisher
        self._clock = clock

    def carry_out(self, entry: Entry, step: Step) -> None:
        """Do one step."""
        self._steps.carry_out(entry, step)

    def settled(self, entry: Entry) -> None:
        """Write down and publish what is new: traffic follows the truth also while the disk takes nothing."""
        try:
            self._ledger.save_changes(entry)
        finally:
            self._publisher.publish(self._clock.monotonic())
