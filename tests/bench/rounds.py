"""Interleaved repetitions: every proxy once, then every proxy again, so that a slow minute hits all of them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import msgspec

from .generators import ask
from .peers import Command, Proxy
from .processes import cpu_seconds, memory, tree
from .scenarios import SCENARIOS, Scenario, Unit
from .site import Site
from .waiting import pause

__all__ = ["Plan", "Reading", "Row", "Table", "measured"]

MEGABYTES = 10  # of one upload or download
FLUSH_SECONDS = 0.15  # for access logs to be written: that is part of the work


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One repetition. cost: CPU microseconds per unit, or KiB per idle connection; busy: share of one core."""

    cost: float
    rate: float
    busy: float
    median_ms: float
    p99_ms: float
    errors: int
    memory_mb: float


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy's medians; ratio: the median of its ratios within each repetition to the proxy all are compared with."""

    proxy: str
    ratio: float
    middle: Reading
    readings: tuple[Reading, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario."""

    scenario: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure: commands of the proxies by name, the scenarios, repetitions of so many seconds."""

    proxies: Mapping[str, Command]
    scenarios: Sequence[str]
    base: str = "nginx"
    reps: int = 5
    seconds: int = 3


def measured(plan: Plan, site: Site) -> Iterator[Table]:
    """Start all proxies, measure, and give one table after the other; raises NeverHappened."""
    running: list[Proxy] = []
    try:
        for name, command in plan.proxies.items():
            running.append(Proxy(name, command, site))
        for proxy in running:
            proxy.check()
        for name in plan.scenarios:
            yield _table(plan, name, running)
    finally:
        for proxy in running:
            proxy.stop()


def _table(plan: Plan, name: str, running: Sequence[Proxy]) -> Table:
    readings: dict[str, list[Reading]] = {proxy.name: [] for proxy in running}
    for _ in range(plan.reps):
        for proxy in running:
            readings[proxy.name].append(_reading(proxy, SCENARIOS[name], plan.seconds))
    base = readings.get(plan.base, [])
    return Table(scenario=name, rows=tuple(_row(name, mine, base) for name, mine in readings.items()))


def _row(proxy: str, mine: Sequence[Reading], base: Sequence[Reading]) -> Row:
    ratios = [one.cost / other.cost for one, other in zip(mine, base, strict=False) if other.cost]
    return Row(proxy=proxy, ratio=median(ratios or [0.0]), middle=_middle(mine), readings=tuple(mine))


def _middle(readings: Sequence[Reading]) -> Reading:
    return Reading(
        cost=median(one.cost for one in readings),
        rate=median(one.rate for one in readings),
        busy=median(one.busy for one in readings),
        median_ms=median(one.median_ms for one in readings),
        p99_ms=median(one.p99_ms for one in readings),
        errors=sum(one.errors for one in readings),
        memory_mb=median(one.memory_mb for one in readings),
    )


def _reading(proxy: Proxy, load: Scenario, seconds: int) -> Reading:
    began, used = time.monotonic(), cpu_seconds(*tree(proxy.pid))
    seen = ask(proxy, load, seconds)
    wall = time.monotonic() - began
    pause(FLUSH_SECONDS)
    cpu = cpu_seconds(*tree(proxy.pid)) - used
    units = seen.done * (MEGABYTES if load.unit is Unit.MEGABYTE else 1)
    return Reading(
        cost=seen.grown / seen.done if load.unit is Unit.CONNECTION else cpu * 1e6 / max(units, 1),
        rate=units / wall,
        busy=cpu / wall,
        median_ms=seen.median * 1e3,
        p99_ms=seen.p99 * 1e3,
        errors=seen.errors,
        memory_mb=memory(*tree(proxy.pid)).pss / 1024,
    )
