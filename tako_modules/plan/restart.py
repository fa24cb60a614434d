"""How soon an instance that ended by itself is replaced."""

import msgspec

from tako_modules.model.deployment import Vitals
from tako_modules.model.instance import Instance

__all__ = ["FIRST_PAUSE", "LONGEST_PAUSE", "STEADY_AFTER", "after_crash", "after_pass"]

FIRST_PAUSE = 1.0  # seconds before the first replacement; doubled for each further crash
LONGEST_PAUSE = 60.0  # seconds: a crash loop costs one start a minute and never gives up
STEADY_AFTER = 60.0  # seconds of health after which earlier crashes are forgotten


def after_crash(vitals: Vitals, one: Instance, now: float, reason: str) -> Vitals:
    """Count an unexpected end. Only that of a replacement makes the next pause longer: not of those beside it."""
    healthy_for = now - one.healthy_at if one.healthy_at is not None else 0.0
    replacement = one.spawned_at >= vitals.next_start_at
    if not replacement:  # several that end together are one misfortune, and have one pause
        crashes, pause = max(vitals.crashes, 1), FIRST_PAUSE
    else:
        crashes = 1 if healthy_for >= STEADY_AFTER else vitals.crashes + 1
        pause = min(FIRST_PAUSE * 2 ** (crashes - 1), LONGEST_PAUSE)
    next_start_at = max(vitals.next_start_at, now + pause)
    return msgspec.structs.replace(vitals, crashes=crashes, next_start_at=next_start_at, reason=reason, awake=False)


def after_pass(vitals: Vitals, one: Instance, now: float) -> Vitals:
    """Forget crashes once an instance has stayed healthy, unless another one is still crashing beside it."""
    steady = one.healthy_at is not None and now - one.healthy_at >= STEADY_AFTER
    if not vitals.crashes or not steady or now < vitals.next_start_at + STEADY_AFTER:
        return vitals
    return msgspec.structs.replace(vitals, crashes=0, next_start_at=0.0, reason="")
