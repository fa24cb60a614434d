"""Measure Tako: `python3 -m tests bench`, or `.venv/bin/python -m tests.bench --scenarios h1,https --reps 3`.

Ratios within one run on one machine count, absolute times do not: every figure is a median of interleaved repetitions.
"""

import argparse
import os
import resource
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.kit.local import local_server

from . import report
from .deploys import deploys
from .idle import idle
from .peers import PROXIES, Command
from .rounds import Plan, measured
from .scenarios import SCENARIOS
from .site import Cores, opened
from .startup import starts
from .waiting import NeverHappened

__all__ = ["main"]

TOOLS = ("nginx", "wrk", "h2load", "openssl", "taskset")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # where Debian puts servers; not on everybody's PATH
FILE = Path(__file__).resolve().parents[2] / "dist" / "tako.pyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was asked for, and a folder of its own."""

    plan: Plan
    cores: Cores
    pyz: Path
    idle_seconds: float
    folder: Path


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for; 1 when a bar was missed and `--gate` given, 2 when something did not start."""
    options = _parser().parse_args(arguments)
    if options.list:
        _say(f"{name:<12} CPU per {load.unit:<10} {load.about}" for name, load in SCENARIOS.items())
        return 0
    os.environ["PATH"] += f":{SBIN}"
    if problem := _problem(options):
        print(f"bench: {problem}", file=sys.stderr)
        return 2
    _all_descriptors()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            measures = _measure(_run(options, Path(folder)), options.parts)
    except NeverHappened as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(measures)))
    missed = report.over(measures)
    _say(f"over the bar: {line}" for line in missed)
    return 1 if missed and options.gate else 0


def _run(options: argparse.Namespace, folder: Path) -> Run:
    known = {**PROXIES, **dict(options.proxy)}
    names = dict.fromkeys([*options.proxies, *(name for name, _ in options.proxy)])
    plan = Plan(
        proxies={name: known[name] for name in names},
        scenarios=options.scenarios,
        base=options.base,
        reps=options.reps,
        seconds=options.seconds,
    )
    return Run(
        plan=plan,
        cores=Cores(proxy=options.proxy_core, load=options.load_core),
        pyz=options.pyz,
        idle_seconds=options.idle_seconds,
        folder=folder,
    )


def _problem(options: argparse.Namespace) -> str:
    """Say what keeps the measurement from beginning, if anything."""
    known = {**PROXIES, **dict(options.proxy)}
    if strange := [name for name in options.proxies if name not in known]:
        return f"no proxy is called {strange[0]}; known: {', '.join(known)}"
    if {*options.parts} - {"data-plane"} and not options.pyz.exists():
        return f"{options.pyz.name} is missing; run `python3 -m tests file`, which builds it"
    if "data-plane" not in options.parts:
        return ""
    programs = [*TOOLS, *(shlex.split(known[name].words)[0] for name in options.proxies)]
    missing = [program for program in programs if shutil.which(program) is None]
    return f"missing: {', '.join(missing)}; install Debian's packages of these programs" if missing else ""


def _measure(run: Run, parts: Sequence[str]) -> report.Measures:
    measures = report.Measures(machine=report.machine(run.plan.proxies))
    _say(report.machine_lines(measures.machine))
    for part in parts:
        measures = PARTS[part](run, measures)
    return measures


def _data_plane(run: Run, measures: report.Measures) -> report.Measures:
    tables = []
    folder = run.folder / "data-plane"
    folder.mkdir()
    run.folder.chmod(0o755)
    with opened(folder, run.cores) as site:
        for table in measured(run.plan, site):
            tables.append(table)
            _say(["", *report.table_lines(table)])
    return msgspec.structs.replace(measures, data_plane=tuple(tables))


def _start(run: Run, measures: report.Measures) -> report.Measures:
    folder = run.folder / "start"
    folder.mkdir()
    rows = starts(run.pyz, folder, run.plan.reps)
    _say(["", *report.start_lines(rows)])
    return msgspec.structs.replace(measures, start=tuple(rows))


def _idle(run: Run, measures: report.Measures) -> report.Measures:
    with local_server(run.pyz, run.folder / "idle") as server:
        rows = idle(server, run.idle_seconds)
    _say(["", *report.idle_lines(rows, run.idle_seconds)])
    return msgspec.structs.replace(measures, idle=tuple(rows))


def _deploy(run: Run, measures: report.Measures) -> report.Measures:
    with local_server(run.pyz, run.folder / "deploy") as server:
        rows = deploys(server, run.plan.reps)
    _say(["", *report.deploy_lines(rows)])
    return msgspec.structs.replace(measures, deploy=tuple(rows))


PARTS: dict[str, Callable[[Run, report.Measures], report.Measures]] = {
    "data-plane": _data_plane,
    "start": _start,
    "idle": _idle,
    "deploy": _deploy,
}
"""What can be measured, in the order of the output."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tests bench", description="Measure Tako on this machine.")
    parser.add_argument("--parts", type=_among(PARTS), default=[*PARTS], help=f"default: {','.join(PARTS)}")
    parser.add_argument("--scenarios", type=_among(SCENARIOS), default=["h1", "h1-vary", "https"])
    parser.add_argument("--proxies", type=_words, default=["nginx", "caddy", "tako"], help=", ".join(PROXIES))
    parser.add_argument("--proxy", action="append", type=_command, default=[], metavar="NAME=COMMAND")
    parser.add_argument("--base", default="nginx", help="the proxy that ratios refer to")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of one repetition")
    parser.add_argument("--idle-seconds", type=float, default=60)
    parser.add_argument("--proxy-core", type=int, default=1)
    parser.add_argument("--load-core", type=int, default=0)
    parser.add_argument("--pyz", type=Path, default=FILE)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all repetitions and medians")
    parser.add_argument("--gate", action="store_true", help="end with 1 when a bar is missed by more than a tenth")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    return parser


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _among(known: Iterable[str]) -> Callable[[str], list[str]]:
    names = [*known]

    def read(text: str) -> list[str]:
        if strange := [word for word in _words(text) if word not in names]:
            raise argparse.ArgumentTypeError(f"{strange[0]!r} is none of {', '.join(names)}")
        return _words(text)

    return read


def _command(text: str) -> tuple[str, Command]:
    name, equals, words = text.partition("=")
    if not (name and equals and words):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=COMMAND")
    return name, Command(words)


def _all_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
