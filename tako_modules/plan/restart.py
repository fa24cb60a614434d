"""How soon an instance that ended by itself is replaced."""

import msgspec

from tako_modules.model.deployment import Vitals

__all__ = ["FIRST_PAUSE", "LONGEST_PAUSE", "STEADY_AFTER", "after_crash", "after_health"]

FIRST_PAUSE = 1.0  # seconds before the first replacement; doubled for each further crash
LONGEST_PAUSE = 60.0  # seconds: a crash loop costs one start a minute and never gives up
STEADY_AFTER = 60.0  # seconds of health after which earlier crashes are forgotten


def after_crash(vitals: Vitals, now: float, healthy_for: float, reason: str) -> Vitals:
    """Count an unexpected end; healthy_for: seconds that the instance had been healthy."""
    crashes = 1 if healthy_for >= STEADY_AFTER else vitals.crashes + 1
    pause = min(FIRST_PAUSE * 2 ** (crashes - 1), LONGEST_PAUSE)
    return msgspec.structs.replace(vitals, crashes=crashes, next_start_at=now + pause, reason=reason, awake=False)


def after_health(vitals: Vitals) -> Vitals:
    """Forget crashes once an instance has stayed healthy."""
    return msgspec.structs.replace(vitals, crashes=0, next_start_at=0.0, reason="")
