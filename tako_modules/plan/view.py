"""What the planner looks at: one deployment, its instances, and the time."""

from collections.abc import Iterable, Sequence

import msgspec

from tako_modules.model.deployment import Deployment
from tako_modules.model.instance import Instance, InstanceState

__all__ = ["ACTIVE", "View"]

ACTIVE = (InstanceState.STARTING, InstanceState.HEALTHY, InstanceState.UNHEALTHY)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment at one moment; now: monotonic seconds; timeouts: version → seconds until it must be healthy."""

    deployment: Deployment
    instances: Sequence[Instance]
    now: float
    timeouts: dict[str, float] = {}

    @property
    def active(self) -> list[Instance]:
        """Instances that serve or are about to: neither ending nor failed, the oldest first."""
        return sorted(
            (one for one in self.instances if one.state in ACTIVE and not one.gone), key=lambda one: one.number
        )

    @property
    def living(self) -> list[Instance]:
        """Instances whose process has not ended."""
        return [one for one in self.instances if not one.gone]


def admitted(instances: Iterable[Instance]) -> list[Instance]:
    """Pick those that get traffic."""
    return [one for one in instances if one.admitted]
