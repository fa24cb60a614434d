"""The words for reasons that errors carry, found where errors are made."""

import ast
from collections.abc import Iterator
from pathlib import Path

from . import words

__all__ = ["found", "render"]

PACKAGE = Path(__file__).resolve().parents[2] / "tako_modules"
GAP = "…"  # stands for what is filled in
HEAD = """### Error codes

Words for the reason, for programs; the message is for people and may change.
"""


def render() -> str:
    """Write the table of codes, each with a message that has it."""
    rows = [(f"`{code}`", message) for code, message in sorted(found().items())]
    return HEAD + "\n" + words.table(("code", "what it says, or a message that has it"), rows)


def found() -> dict[str, str]:
    """Find every code that the package gives to an error, with its class' sentence or the first message that has it."""
    codes: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for code, message in _codes(ast.parse(path.read_text(encoding="utf-8"))):
            codes[code] = codes.get(code) or message
    return codes


def _codes(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            code = next((_text(keyword.value) for keyword in node.keywords if keyword.arg == "code"), "")
            if code and GAP not in code:
                yield code, _message(node)
        elif isinstance(node, ast.ClassDef):
            for code in _own_codes(node):
                yield code, (ast.get_docstring(node) or "").partition("\n")[0]


def _own_codes(kind: ast.ClassDef) -> Iterator[str]:
    """Find the code of an error's class: an attribute, or the default of a parameter."""
    for node in ast.walk(kind):
        match node:
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                yield code
            case ast.arguments(kwonlyargs=named, kw_defaults=defaults):
                pairs = zip(named, defaults, strict=True)
                yield from (_text(default) for one, default in pairs if one.arg == "code" and default is not None)


def _message(call: ast.Call) -> str:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "message"]
    return next((text for value in [*call.args[:1], *named] if (text := _text(value))), "")


def _text(node: ast.expr) -> str:
    """Give a literal text, what is filled in shown as a gap; "" for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or GAP for part in node.values)
    return ""
