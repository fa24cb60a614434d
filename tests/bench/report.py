"""The tables, for a person and as JSON."""

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from .deploys import Deploy
from .idle import Idle
from .rounds import Table
from .scenarios import SCENARIOS, Unit
from .startup import Start

__all__ = [
    "Machine",
    "Measures",
    "deploy_lines",
    "idle_lines",
    "machine",
    "machine_lines",
    "over",
    "start_lines",
    "table_lines",
]

SUBJECT = "tako"  # whose bars there are
SLACK = 1.1  # one run differs from the next by that much: a bar counts as missed above it
VERSIONS = {
    "nginx": ("nginx", "-v"),
    "haproxy": ("haproxy", "-v"),
    "caddy": ("caddy", "version"),
    "wrk": ("wrk", "-v"),
    "openssl": ("openssl", "version"),
}
NUMBER = re.compile(r"\d+(?:\.\d+)+")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where the figures were taken; load: the average of the last minute when the run began."""

    processor: str
    cores: int
    memory_gb: float
    kernel: str
    python: str
    load: float
    versions: dict[str, str]


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run measured."""

    machine: Machine
    data_plane: tuple[Table, ...] = ()
    start: tuple[Start, ...] = ()
    idle: tuple[Idle, ...] = ()
    deploy: tuple[Deploy, ...] = ()


def machine(proxies: Iterable[str]) -> Machine:
    """Describe this machine and the programs that are compared."""
    words = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.partition(":")[2].strip() for line in words if line.startswith("model name")), "unknown")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    asked = {name: VERSIONS[name] for name in (*proxies, "wrk", "openssl") if name in VERSIONS}
    return Machine(
        processor=processor,
        cores=os.cpu_count() or 1,
        memory_gb=round(pages / 1e9, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        load=os.getloadavg()[0],
        versions={name: f"{name} {_version(argv)}" for name, argv in asked.items()},
    )


def _version(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = NUMBER.search(done.stdout + done.stderr)
    return found[0] if found else "of unknown version"


def over(measures: Measures) -> list[str]:
    """Name what is above its bar by more than two runs may differ."""
    rows = [
        (table.scenario, row.ratio, SCENARIOS[table.scenario].bar)
        for table in measures.data_plane
        for row in table.rows
        if row.proxy == SUBJECT
    ]
    rows += [(start.command, start.wall_ratio, start.bar) for start in measures.start]
    return [f"{name}: {ratio:.2f}, bar {bar:g}" for name, ratio, bar in rows if bar and ratio > bar * SLACK]


def machine_lines(about: Machine) -> list[str]:
    """Say where the figures come from."""
    return [
        f"{about.processor}, {about.cores} cores, {about.memory_gb:g} GB, Linux {about.kernel}, load {about.load:.1f}",
        ", ".join((f"Python {about.python}", *about.versions.values())),
    ]


def table_lines(table: Table) -> list[str]:
    """Print one scenario."""
    load = SCENARIOS[table.scenario]
    cost = "KB" if load.unit is Unit.CONNECTION else "CPU us"
    bar = f" (bar: {load.bar:g})" if load.bar else ""
    head = ("proxy", f"{cost}/{load.unit}", "ratio", f"{load.unit}/s", "busy", "p50 ms", "p99 ms", "errors", "mem MB")
    rows = [
        (
            *(row.proxy, f"{row.middle.cost:.2f}", f"{row.ratio:.2f}", f"{row.middle.rate:.0f}"),
            *(f"{row.middle.busy:.2f}", f"{row.middle.median_ms:.2f}", f"{row.middle.p99_ms:.2f}"),
            *(str(row.middle.errors), f"{row.middle.memory_mb:.1f}"),
        )
        for row in table.rows
    ]
    return [f"{table.scenario}: {load.about}{bar}", *_aligned(head, rows)]


def start_lines(rows: Iterable[Start]) -> list[str]:
    """Print the starts."""
    head = ("command", "wall ms", "ratio", "CPU ms", "ratio", "bar")
    cells = [
        (
            *(row.command, f"{row.wall_ms:.1f}", f"{row.wall_ratio:.2f}", f"{row.cpu_ms:.1f}"),
            *(f"{row.cpu_ratio:.2f}", f"{row.bar:g}" if row.bar else ""),
        )
        for row in rows
    ]
    return ["start: warm, next to an interpreter that does nothing", *_aligned(head, cells)]


def idle_lines(rows: Iterable[Idle], seconds: float) -> list[str]:
    """Print the idle server."""
    head = ("process", "count", "RSS MB", "PSS MB", "CPU ms/min", "wakes/min")
    cells = [
        (
            *(row.role, str(row.processes), f"{row.rss_mb:.1f}", f"{row.pss_mb:.1f}"),
            *(f"{row.cpu_ms_per_minute:.1f}", f"{row.wakeups_per_minute:.0f}"),
        )
        for row in rows
    ]
    return [f"idle: a server without requests, {seconds:g} s", *_aligned(head, cells)]


def deploy_lines(rows: Iterable[Deploy]) -> list[str]:
    """Print the deploys."""
    head = ("what", "seconds", "bytes sent", "bytes saved")
    rows = list(rows)
    cells = [(row.what, f"{row.seconds:.2f}", f"{row.sent:,}", f"{row.saved:,}") for row in rows]
    phases = [" ".join(f"{name} {seconds:.2f}" for name, seconds in row.phases.items()) for row in rows]
    first, *others = _aligned(head, cells)
    return [
        "deploy: to a server on this machine",
        f"{first}  phases, seconds",
        *(f"{line}  {words}" for line, words in zip(others, phases, strict=True)),
    ]


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write columns: the first to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *(map(str.rjust, row[1:], widths[1:]))]) for row in (head, *rows)
    ]
