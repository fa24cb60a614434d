"""Every door has its plate: packages one paragraph, public things a sentence."""

import ast
from collections.abc import Iterator

from .sources import Source, everything, package

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
SAID_ELSEWHERE = {"overload", "setter", "override"}  # the first definition, the getter or the base class says it


def test_packages_hold_a_plate_and_nothing_else() -> None:
    """`__init__.py` is one docstring paragraph: facades are how cycles and slow starts begin."""
    wrong = [source.name for source in everything() if source.is_package and not _is_plate(source)]
    assert not wrong, "\n".join(wrong)


def _is_plate(source: Source) -> bool:
    """Tell whether a package says one paragraph; the root package names its version besides."""
    kinds = (ast.Assign, ast.AnnAssign) if source.module == "tako_modules" else ()
    text = ast.get_docstring(source.tree)
    return text is not None and "\n\n" not in text and all(isinstance(node, kinds) for node in source.tree.body[1:])


def test_modules_say_what_they_are() -> None:
    """Each file opens with a sentence."""
    assert [source.name for source in everything() if not _is_sentence(ast.get_docstring(source.tree))] == []


def test_public_things_have_a_sentence() -> None:
    """Each public class, function and method of what ships says what it does."""
    wrong = [
        f"{source.name}:{node.lineno} {node.name}"
        for source in package()
        for node in _public(source.tree)
        if not _is_sentence(ast.get_docstring(node))
    ]
    assert not wrong, "\n".join(wrong)


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """Give the public definitions of a module, methods included; what is inside a function is its own affair."""
    for node in tree.body:
        if not isinstance(node, DEFINITIONS) or node.name.startswith("_") or _said_elsewhere(node):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from _public(node)


def _said_elsewhere(node: Definition) -> bool:
    words = {mark.attr if isinstance(mark, ast.Attribute) else getattr(mark, "id", "") for mark in node.decorator_list}
    return bool(words & SAID_ELSEWHERE)


def _is_sentence(text: str | None) -> bool:
    """Tell whether the first paragraph reads as a sentence or a heading that a list follows."""
    first = (text or "").split("\n\n")[0].strip()
    return len(first.split()) > 0 and first.rstrip("`)\"'")[-1:] in {".", ":", "?", "!"}


def test_no_source_is_empty() -> None:
    """A file appears when there is code for it."""
    assert [source.name for source in package() if not source.is_package and not _holds_code(source)] == []


def _holds_code(source: Source) -> bool:
    return len(source.tree.body) > 1
