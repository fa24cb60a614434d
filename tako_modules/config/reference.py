"""docs/reference/config.md, written from the schema: every table, key, type, default and text."""

import re
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

import msgspec

from . import schema

__all__ = ["render"]

_TABLES: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("Top level", schema.Tako),
    ("`[health]`", schema.Health),
    ("`[envs.<name>]`", schema.Env),
    ("`[servers]`", schema.ServerDefaults),
    ("`[servers.<name>]`", schema.ServerTable),
    ("`[services.<name>]` (later)", schema.ServiceTable),
    ("`[schedule.<name>]` (later)", schema.Schedule),
    ("`instances = { min, max }` (later)", schema.Range),
)
_HEAD = """# tako.toml

<!-- Written from tako_modules/config/schema.py by config/reference.py; change the docstrings there. -->

One file in the root of a project says what the app is, where it is reached and which servers run it.
Unknown keys, wrong types and values out of range are errors that name file, line and key.
All of them are reported together.

Names of apps, environments and servers have 1 to 63 of `a-z`, `0-9` and `-`, a letter first and no `-` last.
In `[vars]`, `ENV`, `PORT` and all names that begin with `TAKO_` are set by tako itself and ignored with a warning.

An instance sees, later wins: `[vars]`, `[vars.<env>]`, secrets, what tako sets, what its runtime sets.
Tako sets `ENV`, `TAKO_ENV`, `TAKO_APP`, `TAKO_BUILD`, `TAKO_INSTANCE`, `TAKO_DATA_DIR`, `PORT` and `HOST`.
Of the server's own environment it gets `PATH`, `HOME`, `LANG` and `TZ`.
"""
_WORDS: dict[object, str] = {str: "text", int: "whole number", bool: "true or false", object: "any"}


def render() -> str:
    """Write the whole page."""
    parts = [_HEAD]
    for title, kind in _TABLES:
        parts.append(_section(title, kind))
    runtimes = ", ".join(f"`{name}`" for name in schema.RUNTIMES)
    later = ", ".join(f"`{name}` ({version})" for name, version in schema.LATER_RUNTIMES.items())
    parts.append(f"## Runtimes\n\nThis version knows {runtimes}.\nLater versions bring {later}.\n")
    return "\n".join(parts)


def _section(title: str, kind: type[msgspec.Struct]) -> str:
    summary, texts = _paragraphs(kind)
    later: dict[str, str] = getattr(kind, "LATER", {})
    rows = [f"## {title}\n\n{summary}\n", "| key | type | default | |", "|---|---|---|---|"]
    for field in msgspec.structs.fields(kind):
        text = texts[field.name]
        if field.name in later:
            text = f"{text} Comes with version {later[field.name]}."
        rows.append(f"| `{field.name}` | {_type_words(field.type)} | {_default(field)} | {text} |")
    return "\n".join(rows) + "\n"


def _paragraphs(kind: type[msgspec.Struct]) -> tuple[str, dict[str, str]]:
    """Take a docstring apart: its first paragraph, and one per key."""
    first, *rest = [" ".join(part.split()) for part in re.split(r"\n\s*\n", kind.__doc__ or "")]
    return first, dict(part.split(": ", 1) for part in rest if part)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default
    if isinstance(value, bool | int):
        return f"`{value}`"
    return f'`"{value}"`' if isinstance(value, str) and value else ""


def _type_words(kind: object) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_words(args[0]) + _bounds(args[1])
    if origin in (UnionType, Union):
        return " or ".join(dict.fromkeys(_type_words(arg) for arg in args if arg is not NoneType))
    if origin is tuple:
        return "list of text"
    return "table"


def _bounds(meta: msgspec.Meta) -> str:
    return "" if meta.ge is None else f", {meta.ge} to {meta.le}"
