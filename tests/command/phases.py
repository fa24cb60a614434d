"""The phases of the test command: what each runs, in order, and the table printed at the end."""

import os
import random
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import machine
from .environment import PYTHON, ROOT

__all__ = ["EVERYTHING", "PHASES", "PYTEST", "SUMMARY", "Outcome", "Phase", "run", "with_forerunners", "with_slow"]

WORKERS = str(min(4, max(2, os.cpu_count() or 2)))  # more than 4 containers at once gain nothing
HASH_SEED = str(random.randrange(1, 1 << 32))  # another order of sets each time, but one for all of pytest's workers
SUMMARY = re.compile(r"^(=+ )?.*\b\d+ (passed|failed|errors?|deselected)\b.* in [\d.]+s")
SITE = str(PYTHON)
PYTEST = (SITE, "-m", "pytest", "-q", "-ra")
PARALLEL = (*PYTEST, "-n", WORKERS, "--dist=worksteal")
OWN_PHASES = ("--ignore=tests/boot", "--ignore=tests/e2e", "--ignore=tests/bench")  # `file`, `e2e`, `bench` run these
BOOT_TIMEOUT = 90  # seconds for a test that unpacks the file several times beside another one that does
LINT = ((SITE, "-m", "ruff", "check"), (SITE, "-m", "ruff", "format", "--check"), (SITE, "-m", "mypy"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A named part of the whole: its commands, the programs it needs, the phases it comes after.

    The first command makes what later phases use: when it fails they are not run.
    """

    commands: tuple[tuple[str, ...], ...]
    tools: dict[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a phase went; words: pytest's closing lines, or why it did not run; made: its first command passed."""

    name: str
    passed: bool
    made: bool = False
    seconds: float = 0.0
    words: tuple[str, ...] = ()


PHASES = {
    "check": Phase(commands=(*LINT, (*PYTEST, "tests/house"))),
    "fix": Phase(
        commands=(
            (SITE, "-m", "ruff", "format"),
            (SITE, "-m", "ruff", "check", "--fix"),
            (SITE, "-m", "tests.docs"),
        )
    ),
    "unit": Phase(commands=(*LINT, (*PARALLEL, "-m", "not e2e and not alone", *OWN_PHASES)), tools=machine.BASE),
    "file": Phase(
        commands=(
            (SITE, "build_zipapp.py", "--host-only"),
            (*PARALLEL, "-m", "not alone", f"--timeout={BOOT_TIMEOUT}", "tests/boot"),
        ),
        tools=machine.BASE,
    ),
    "bed": Phase(commands=((SITE, "-m", "tests.kit.bed", "prepare"),), tools=machine.BASE | machine.BED),
    "e2e": Phase(commands=((*PARALLEL, "-m", "e2e and not alone", "tests/e2e"),), after=("file", "bed")),
    "alone": Phase(
        commands=((*PYTEST, "-p", "no:xdist", "-m", "alone"),),
        tools=machine.BASE | machine.BED,
        after=("file", "bed"),
    ),
    "bench": Phase(
        commands=((SITE, "-m", "tests.bench"),),
        tools=machine.BASE | machine.BED | machine.BENCH,
        after=("file",),
    ),
}
"""Every word the command knows; a phase asked for by name brings the phases it comes after."""

EVERYTHING = ("unit", "file", "bed", "e2e", "alone")


def run(
    names: Sequence[str], *, slow: bool, rest: Sequence[str] = (), table: Mapping[str, Phase] = PHASES
) -> list[Outcome]:
    """Run the named phases in order, what is missing on the machine installed first.

    slow: also run the tests marked slow; rest: further words for the benchmarks. A phase whose forerunner made nothing
    is not run and counts as failed.
    """
    names = with_forerunners(names, table)
    machine.install(machine.packages_for({key: value for name in names for key, value in table[name].tools.items()}))
    outcomes: list[Outcome] = []
    for name in names:
        failed = {outcome.name for outcome in outcomes if not outcome.made}
        blocked = sorted(failed.intersection(table[name].after))
        outcomes.append(
            Outcome(name=name, passed=False, words=(f"not run: {', '.join(blocked)} failed",))
            if blocked
            else _phase(name, table[name], slow=slow, rest=rest if name == "bench" else ())
        )
    return outcomes


def with_forerunners(names: Sequence[str], table: Mapping[str, Phase] = PHASES) -> list[str]:
    """Put each phase behind those it comes after, each once."""
    ordered: dict[str, None] = {}
    for name in names:
        ordered.update(dict.fromkeys([*table[name].after, name]))
    return list(ordered)


def _phase(name: str, phase: Phase, *, slow: bool, rest: Sequence[str] = ()) -> Outcome:
    print(f"\n── {name}", flush=True)
    began = time.monotonic()
    words: list[str] = []
    codes: list[int] = []
    for argv in phase.commands:
        code, closing = _stream([*with_slow(argv, slow=slow), *rest])
        codes.append(code)
        words += closing
        if code:
            words.append(f"failed ({code}): {_readable(argv)}")
    made, passed = codes[0] == 0, not any(codes)
    return Outcome(name=name, passed=passed, made=made, seconds=time.monotonic() - began, words=tuple(words))


def with_slow(argv: tuple[str, ...], *, slow: bool) -> list[str]:
    """Leave out the tests marked slow unless they are asked for."""
    if slow or argv[:3] != PYTEST[:3]:
        return list(argv)
    if "-m" not in argv[3:]:
        return [*argv, "-m", "not slow"]
    at = argv.index("-m", 3) + 1
    return [*argv[:at], f"({argv[at]}) and not slow", *argv[at + 1 :]]


def _stream(argv: Sequence[str]) -> tuple[int, list[str]]:
    """Run one command with its output passed on line by line; give its exit code and pytest's closing lines."""
    print(f"$ PYTHONHASHSEED={HASH_SEED} {_readable(argv)}", flush=True)
    env = {**os.environ, "PYTHONHASHSEED": HASH_SEED}
    closing: list[str] = []
    with subprocess.Popen(
        argv,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if SUMMARY.match(line):
                closing.append(line.strip("= \n"))
    return process.returncode, closing


def _readable(argv: Sequence[str]) -> str:
    return " ".join(str(Path(word).relative_to(ROOT)) if word.startswith(str(ROOT)) else word for word in argv)
