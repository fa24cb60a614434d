"""docs/reference/bounds.md: every number of the code that has a name and a reason, read from the sources."""

import ast
import io
import operator
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tako_modules.base.text import size_text

from . import words

__all__ = ["Bound", "found", "numbers", "render"]

PACKAGE = Path(__file__).resolve().parents[2] / "tako_modules"
HEAD = """# Bounds

<!-- Written from the constants of tako_modules by `python3 -m tests fix`; change them and their comments there. -->

Every buffer, queue, retry and wait has a bound with a name.
These are the ones that say in a comment what they are for; what users meet of them is in [the limits](limits.md).
"""
ROOMS = {
    "proxy": "The reverse proxy",
    "http": "HTTP",
    "net": "Connections and TLS",
    "plan": "Rollouts, health and retention",
    "supervisor": "Instances and probes",
    "server": "The server",
    "server.init": "The parent process",
    "server.setup": "Setting a machine up",
    "store": "The store",
    "certs": "Certificates",
    "telemetry": "Logs and metrics",
    "protocol": "The protocol",
    "mgmt": "The management socket",
    "build": "Artifacts",
    "config": "Configuration",
    "runtimes": "Runtimes",
    "deploy": "Deploys",
    "ssh": "SSH",
    "workspace": "Projects",
    "model": "Routes and snapshots",
    "base": "Files and locks",
    "boot": "The built file",
    "cli": "The command line",
}
"""Room → heading, in the order of the page; a room that is missing here fails the test."""
OTHER = {
    "ALREADY", "CHANNEL", "CLIENT_GONE", "FINAL", "FIRST_GIVEN", "FIRST_STORED", "FIRST_STRANGER", "NEVER",
    "SERVER_DOWN", "SERVICE_RESTART", "START_FIELD", "UMASK", "VERSION", "WORD",
}  # fmt: skip
"""Numbers that bound nothing: descriptors, codes, masks."""
OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.LShift: lambda left, right: int(left) << int(right),
    ast.Mult: operator.mul,
    ast.Sub: operator.sub,
}
KIB = 1024


class Bound(NamedTuple):
    """A named number with its reason."""

    room: str
    module: str
    name: str
    value: float
    reason: str


def render() -> str:
    """Write the whole page."""
    parts = [HEAD]
    bounds = list(found())
    for room, heading in ROOMS.items():
        rows = [
            (f"`{one.module}.{one.name}`", value_words(one), _sentence(one.reason))
            for one in bounds
            if one.room == room
        ]
        if rows:
            parts.append(f"## {heading}\n\n" + words.table(("name", "value", "what for"), rows))
    return "\n".join(parts)


def found() -> Iterator[Bound]:
    """Find all constants of the package that are numbers and have a comment on their line."""
    for path in sorted(PACKAGE.rglob("*.py")):
        *folders, module = path.relative_to(PACKAGE).with_suffix("").parts
        text = path.read_text(encoding="utf-8")
        for name, value, line in numbers(ast.parse(text)):
            if (reason := _comments(text).get(line)) and name not in OTHER:
                yield Bound(_room(folders), ".".join([*folders[1:], module]), name, value, reason)


def value_words(bound: Bound) -> str:
    """Write a value with its unit, where name or comment tell it."""
    number = f"{bound.value:,.10g}".replace(",", " ")
    if "SECONDS" in bound.name or bound.reason.startswith("seconds"):
        return f"{number} s"
    if ("BYTES" in bound.name or bound.reason.startswith("bytes")) and bound.value >= KIB:
        return size_text(int(bound.value))
    return number


def _sentence(reason: str) -> str:
    text = re.sub(r"^(seconds|bytes): ", "", reason)
    return text[:1].upper() + text[1:]


def _room(folders: list[str]) -> str:
    inner = ".".join(folders[:2])
    return inner if inner in ROOMS else (folders or ["base"])[0]


def numbers(tree: ast.Module) -> Iterator[tuple[str, float, int]]:
    """Give name, value and line of each constant that is a number."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, _value(node.value)
            if name.isupper() and not name.startswith("_") and value is not None:
                yield name, value, node.lineno


def _value(node: ast.expr) -> float | None:
    """Work out a number that is written as one, or as whole numbers multiplied, shifted, added."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = _value(node.left), _value(node.right)
        return None if left is None or right is None else OPERATORS[type(node.op)](left, right)
    return None


def _comments(text: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {one.start[0]: one.string.lstrip("# ") for one in tokens if one.type == tokenize.COMMENT}
