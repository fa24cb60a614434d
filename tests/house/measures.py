"""How long, how deep, how wide: figures read off a syntax tree."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from .sources import Source

__all__ = ["COUNTED", "GATES", "Finding", "counts", "findings"]

GATES = {"file": 400, "function": 50, "nesting": 3, "parameters": 5, "rooms": 10}
"""Measure → the largest value allowed: lines, lines, blocks, positional parameters, rooms that one file enters."""

BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMMENTS = {
    "type_ignore": re.compile(r"#\s*type:\s*ignore"),
    "noqa": re.compile(r"#\s*(ruff:\s*)?noqa"),
    "no_cover": re.compile(r"#\s*pragma:\s*no cover"),
}
COUNTED = (*COMMENTS, "cast", "any", "kwargs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure above its gate: `at` is the file, or file::qualified.name of a function."""

    at: str
    measure: str
    value: int


def findings(source: Source) -> Iterator[Finding]:
    """Give everything in a file that is above its gate."""
    for at, measure, value in _figures(source):
        if value > GATES[measure]:
            yield Finding(at=at, measure=measure, value=value)


def _figures(source: Source) -> Iterator[tuple[str, str, int]]:
    yield source.name, "file", len(source.text.splitlines())
    yield source.name, "rooms", len(_rooms(source))
    for name, node, method in _functions(source.tree, ""):
        at = f"{source.name}::{name}"
        yield at, "function", (node.end_lineno or node.lineno) - node.lineno + 1
        yield at, "nesting", max((_depth(child, 0) for child in node.body), default=0)
        positional = len(node.args.posonlyargs) + len(node.args.args)
        static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in node.decorator_list)
        if not node.name.startswith("test_"):  # pytest fills in those, by their names
            yield at, "parameters", positional - (1 if method and not static else 0)


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Give every function with its qualified name and whether it is a method."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS):
            yield f"{prefix}{child.name}", child, isinstance(node, ast.ClassDef)
        name = f"{prefix}{child.name}." if isinstance(child, (*FUNCTIONS, ast.ClassDef)) else prefix
        yield from _functions(child, name)


def _depth(node: ast.AST, depth: int) -> int:
    """Count blocks inside blocks; an elif stands beside its if, an inner function counts for itself."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return depth
    inside = depth + 1 if isinstance(node, BLOCKS) else depth
    deepest = inside
    for child in ast.iter_child_nodes(node):
        beside = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, _depth(child, depth if beside else inside))
    return deepest


def _rooms(source: Source) -> set[str]:
    """Name the other rooms that a file of a room enters."""
    names: set[str] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {parts[1] for name in names if (parts := name.split("."))[0] == "tako_modules" and len(parts) > 1}
    return ours - set(source.module.split(".")[1:2]) if source.module.startswith("tako_modules") else set()


def counts(source: Source) -> Counter[str]:
    """Count the ways round the type checker, the linter and the coverage in a file."""
    found: Counter[str] = Counter()
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT:
            found.update(name for name, pattern in COMMENTS.items() if pattern.search(token.string))
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id="cast") | ast.Attribute(value=ast.Name(id="typing"), attr="cast")):
                found["cast"] += 1
            case ast.Name(id="Any") | ast.Attribute(value=ast.Name(id="typing"), attr="Any"):
                found["any"] += 1
            case ast.arguments(kwarg=ast.arg()):
                found["kwargs"] += 1
    return found
