"""One running process of an app: its states, what changes them, and what is known of it."""

from enum import StrEnum

import msgspec

__all__ = ["TRANSITIONS", "IllegalTransition", "Instance", "InstanceEvent", "InstanceState"]


class InstanceState(StrEnum):
    """Where an instance is in its life; the words go over the wire."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


class InstanceEvent(StrEnum):
    """What can happen to an instance."""

    READY = "ready"  # the start probe passed and the port is its own
    RECOVERED = "recovered"  # one probe passed while unhealthy
    SICKENED = "sickened"  # SICK_AFTER probes in a row failed
    RETIRED = "retired"  # it is to end: replaced, scaled down, idle, stopped
    BROKEN = "broken"  # it did not become healthy in time, or is dead while running
    EXITED = "exited"


class IllegalTransition(Exception):
    """An event that cannot happen in this state: a bug of the caller."""


S, E = InstanceState, InstanceEvent
TRANSITIONS: dict[tuple[InstanceState, InstanceEvent], InstanceState] = {
    (S.STARTING, E.READY): S.HEALTHY,
    (S.STARTING, E.RETIRED): S.DRAINING,
    (S.STARTING, E.BROKEN): S.FAILED,
    (S.STARTING, E.EXITED): S.FAILED,
    (S.HEALTHY, E.SICKENED): S.UNHEALTHY,
    (S.HEALTHY, E.RETIRED): S.DRAINING,
    (S.HEALTHY, E.BROKEN): S.FAILED,
    (S.HEALTHY, E.EXITED): S.FAILED,
    (S.UNHEALTHY, E.RECOVERED): S.HEALTHY,
    (S.UNHEALTHY, E.RETIRED): S.DRAINING,
    (S.UNHEALTHY, E.BROKEN): S.FAILED,
    (S.UNHEALTHY, E.EXITED): S.FAILED,
    (S.DRAINING, E.EXITED): S.STOPPED,
    (S.FAILED, E.EXITED): S.FAILED,
    (S.FAILED, E.RETIRED): S.FAILED,
    (S.DRAINING, E.RETIRED): S.DRAINING,
    (S.DRAINING, E.BROKEN): S.DRAINING,
}


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One instance as control knows it; times are seconds of the monotonic clock, None when it has not happened.

    number: never reused while the deployment exists; pid and birth (clock ticks since boot) name its process;
    passed_at: the last probe that passed; failures: probes in a row that failed since; admitted: the route table names
    it; withdrawn_at: it left the table for good; in_flight: requests open at it, over all workers; gone: its process
    has ended and its exit is acknowledged.
    """

    app: str
    number: int
    version: str
    port: int
    state: InstanceState = InstanceState.STARTING
    pid: int | None = None
    birth: int | None = None
    spawned_at: float = 0.0
    healthy_at: float | None = None
    passed_at: float | None = None
    admitted: bool = False
    withdrawn_at: float | None = None
    withdrawn_generation: int | None = None
    drained: bool = False
    terminated_at: float | None = None
    killed: bool = False
    gone: bool = False
    failures: int = 0
    in_flight: int = 0
    reason: str = ""
    warning: str = ""

    @property
    def id(self) -> str:
        """Its name everywhere: `<deployment id>/<number>`."""
        return f"{self.app}/{self.number}"

    def after(self, event: InstanceEvent) -> "Instance":
        """Give the instance after an event; raises IllegalTransition."""
        new = TRANSITIONS.get((self.state, event))
        if new is None:
            raise IllegalTransition(f"{self.id}: {event} while {self.state}")
        return msgspec.structs.replace(self, state=new)
