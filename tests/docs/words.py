"""Types, defaults and tables in the words of a reference page."""

import inspect
from collections.abc import Iterable, Sequence
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

import msgspec

__all__ = ["about", "default_words", "fields_table", "structs_in", "table", "type_words"]

SIMPLE: dict[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    object: "any",
    NoneType: "null",
}


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table; a bar inside a cell is escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def about(kind: type) -> str:
    """Give a docstring with one sentence per line, paragraphs kept."""
    paragraphs = (inspect.getdoc(kind) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()).replace(". ", ".\n") for paragraph in paragraphs)


def type_words(kind: object) -> str:
    """Say what a field holds."""
    if kind in SIMPLE:
        return SIMPLE[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return type_words(args[0])
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in args)
    if origin in (UnionType, Union):
        return " or ".join(type_words(arg) for arg in args)
    if origin in (tuple, list):
        return f"list of {type_words(args[0])}"
    if origin is dict:
        return f"table of {type_words(args[0])} → {type_words(args[1])}"
    return _class_words(kind)


def _class_words(kind: object) -> str:
    assert isinstance(kind, type), kind
    return f"[{kind.__name__}](#{kind.__name__.lower()})" if issubclass(kind, msgspec.Struct) else "text"


def default_words(field: msgspec.structs.FieldInfo) -> str:
    """Say what holds when a field is left out."""
    if field.required:
        return "required"
    value = field.default
    if isinstance(value, str):
        return f'`"{value}"`' if value else '`""`'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"`{value:g}`" if isinstance(value, int | float) else ""


def fields_table(kind: type[msgspec.Struct]) -> str:
    """Write a struct's fields as a table; "" when it has none."""
    rows = [
        (f"`{field.encode_name}`", type_words(field.type), default_words(field))
        for field in msgspec.structs.fields(kind)
    ]
    return table(("field", "type", "default"), rows) if rows else ""


def structs_in(kind: object) -> list[type[msgspec.Struct]]:
    """Find the structs that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for arg in get_args(kind) for found in structs_in(arg)]
