"""The table of docs/inside/reliability.md: what each interruption of a deploy led to, written when all were tried."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

__all__ = ["PROPERTY", "Outcome", "keep", "read"]

PROPERTY = "reliability"  # under which a test records [stage, way, seconds, finished, failed]
FILE = Path(__file__).resolve().parents[2] / "docs" / "inside" / "reliability.md"
BEGIN = "<!-- table of interruptions: written by `python3 -m tests e2e --all` -->\n"
END = "<!-- end of the table -->\n"
WAYS = {"ctrl-c": "Ctrl-C", "kill": "client killed", "cut": "connection silent"}
STAGES = {
    "build": "while building",
    "lease": "with the lease taken",
    "upload": "at half of the upload",
    "install": "while installing dependencies",
    "release": "in the release command",
    "swap": "after the first swapped instance",
}
NONE = "nothing to cut yet"


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """One cell; seconds: from the interruption until the next deploy had the lease.

    finished, failed: requests from before the interruption until the next deploy was done.
    """

    stage: str
    way: str
    seconds: float
    finished: int
    failed: int


def read(properties: Iterable[tuple[str, object]]) -> list[Outcome]:
    """Find outcomes among what a test recorded."""
    return [msgspec.convert(value, Outcome) for name, value in properties if name == PROPERTY]


def keep(outcomes: Iterable[Outcome]) -> bool:
    """Write the table when no cell is missing; tells whether it was written."""
    found = {(one.stage, one.way): one for one in outcomes}
    if len(found) < len(STAGES) * len(WAYS) - 1:
        return False
    rows = ["| interrupted | " + " | ".join(WAYS.values()) + " |", "|---" * (1 + len(WAYS)) + "|"]
    for stage, words in STAGES.items():
        rows.append(f"| {words} | " + " | ".join(_cell(found.get((stage, way))) for way in WAYS) + " |")
    head, _, rest = FILE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    FILE.write_text("\n".join([head + BEGIN, *rows, "", END]) + tail, encoding="utf-8")
    return True


def _cell(one: Outcome | None) -> str:
    return NONE if one is None else f"{one.seconds:.1f} s, {one.failed} of {one.finished + one.failed} failed"
