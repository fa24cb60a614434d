"""What probes and exits make of an instance."""

import msgspec

from tako_modules.model.instance import Instance, InstanceEvent, InstanceState

__all__ = ["BROKEN_AFTER", "SICK_AFTER", "after_exit", "after_failure", "after_pass", "retired"]

SICK_AFTER = 2  # failed probes in a row that take an instance out of rotation
BROKEN_AFTER = 5  # failed probes in a row after which it is killed and replaced


def after_pass(instance: Instance, now: float, warning: str = "") -> Instance:
    """Apply a probe that passed."""
    if instance.state is InstanceState.STARTING:
        ready = instance.after(InstanceEvent.READY)
        return msgspec.structs.replace(ready, healthy_at=now, passed_at=now, failures=0, warning=warning)
    if instance.failures and not instance.admitted:  # its stability window begins anew
        instance = msgspec.structs.replace(instance, healthy_at=now)
    if instance.state is InstanceState.UNHEALTHY:
        instance = instance.after(InstanceEvent.RECOVERED)
    return msgspec.structs.replace(instance, passed_at=now, failures=0)


def after_failure(instance: Instance, reason: str) -> Instance:
    """Apply a probe that failed; while it starts, only the reason is remembered."""
    if instance.state is InstanceState.STARTING:
        return msgspec.structs.replace(instance, reason=reason)
    if instance.state not in (InstanceState.HEALTHY, InstanceState.UNHEALTHY):
        return instance
    failures = instance.failures + 1
    if failures >= SICK_AFTER and instance.state is InstanceState.HEALTHY:
        instance = instance.after(InstanceEvent.SICKENED)
    if failures >= BROKEN_AFTER:
        instance = instance.after(InstanceEvent.BROKEN)
    return msgspec.structs.replace(instance, failures=failures, reason=reason)


def after_exit(instance: Instance, code: int) -> Instance:
    """Apply the end of its process; code is negative for a signal."""
    expected = instance.state in (InstanceState.DRAINING, InstanceState.FAILED)
    reason = instance.reason if expected else exit_text(code)
    return msgspec.structs.replace(
        instance.after(InstanceEvent.EXITED), gone=True, admitted=False, drained=True, reason=reason
    )


def retired(instance: Instance, now: float) -> Instance:
    """Take it out of rotation for good."""
    return msgspec.structs.replace(instance.after(InstanceEvent.RETIRED), admitted=False, withdrawn_at=now)


def exit_text(code: int) -> str:
    """Say how a process ended."""
    return f"exited with code {code}" if code >= 0 else f"was ended by signal {-code}"
