"""Names say what a thing is: no drawers, no numbered twins, no leading-underscore modules."""

import ast
import re

import pytest

from .sources import ROOT, code, everything

DRAWERS = re.compile(r"(^|_)(utils?|helpers?|commons?|managers?)(_|$)", re.IGNORECASE)
CAMEL = re.compile(r"(Utils?|Helpers?|Common|Manager)($|[A-Z])")
NUMBERED = re.compile(r"\d$")
PROTOCOLS = re.compile(r"(^|_)h[12]$", re.IGNORECASE)  # HTTP/1 and HTTP/2 are called so
HALVES = re.compile(r"_(part|impl|misc|ext)$")


def complaint(name: str) -> str | None:
    """Say what is wrong with a name, if anything."""
    if DRAWERS.search(name) or CAMEL.search(name):
        return "a drawer"
    if NUMBERED.search(name) and not PROTOCOLS.search(name):
        return "ends in a number"
    return "half a name" if HALVES.search(name) else None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("url_utils", "a drawer"),
        ("helpers", "a drawer"),
        ("KeyManager", "a drawer"),
        ("commonly", None),
        ("retry2", "ends in a number"),
        ("downstream_h2", None),
        ("h1", None),
        ("parse_ext", "half a name"),
        ("text", None),
    ],
)
def test_complaints(name: str, expected: str | None) -> None:
    """The rule sees what it should."""
    assert complaint(name) == expected


def test_files_and_folders() -> None:
    """Modules and packages, the tests' included."""
    places = {part for source in everything() for part in source.path.relative_to(ROOT).with_suffix("").parts}
    places = {part.removesuffix(".py") for part in places}
    assert {name: why for name in sorted(places) if (why := complaint(name))} == {}
    assert sorted(n for n in places if n.startswith("_") and n not in {"__init__", "__main__"}) == []


def test_definitions() -> None:
    """Classes, functions and their parameters in what ships."""
    wrong = [
        f"{s.name}:{line} {name}: {why}" for s in code() for line, name in _names(s.tree) if (why := complaint(name))
    ]
    assert not wrong, "\n".join(wrong)


def _names(tree: ast.Module) -> list[tuple[int, str]]:
    return [
        (node.lineno, node.arg if isinstance(node, ast.arg) else node.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.arg)
    ]
