"""How long commands take to start, next to an interpreter that does nothing."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

__all__ = ["BARS", "Start", "starts"]

PYTHON = "/usr/bin/python3"
BARS = {"--version": 2.5, "--help": 8.0}
"""Command → the most that it may take, as a multiple of `python3 -IS -c pass`."""

PER_REPETITION = 10


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Medians of one command: milliseconds of wall and CPU time, and as multiples of the empty program's."""

    command: str
    wall_ms: float
    cpu_ms: float
    wall_ratio: float
    cpu_ratio: float
    bar: float | None = None


def starts(pyz: Path, folder: Path, reps: int) -> list[Start]:
    """Measure in turns the empty program, `--version` and `--help`; the last row is the first start, which unpacked."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TAKO_CACHE": str(folder / "cache")}
    commands = {"python3 -IS -c pass": [PYTHON, "-IS", "-c", "pass"]}
    commands |= {f"tako {word}": [PYTHON, "-IS", str(pyz), word] for word in BARS}
    first = _timed(commands["tako --help"], env)
    subprocess.run([PYTHON, "-IS", str(pyz), "__warm__"], env=env, check=True)
    for argv in commands.values():
        _timed(argv, env)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(reps * PER_REPETITION):
        for name, argv in commands.items():
            taken[name].append(_timed(argv, env))
    base = taken["python3 -IS -c pass"]
    rows = [_start(name, mine, base) for name, mine in taken.items()]
    return [*rows, _start("tako --help, the first time", [first], base)]


def _start(name: str, mine: Sequence[tuple[float, float]], base: Sequence[tuple[float, float]]) -> Start:
    wall, cpu = _medians(mine)
    base_wall, base_cpu = _medians(base)
    return Start(
        command=name,
        wall_ms=wall * 1e3,
        cpu_ms=cpu * 1e3,
        wall_ratio=wall / base_wall,
        cpu_ratio=cpu / base_cpu,
        bar=BARS.get(name.removeprefix("tako ")),
    )


def _medians(taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return median(wall for wall, _ in taken), median(cpu for _, cpu in taken)


def _timed(argv: Sequence[str], env: dict[str, str]) -> tuple[float, float]:
    """Run a command; give seconds of wall and of CPU time."""
    began = time.perf_counter()
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)
    return wall, used.ru_utime + used.ru_stime
