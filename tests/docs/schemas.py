"""docs/reference/json: a JSON Schema per document that verbs print with `--json`."""

import json

import msgspec

from tako_modules.cli import documents

from . import words

__all__ = ["files", "render"]

HEAD = """# JSON documents

<!-- Written from tako_modules/cli/documents.py by `python3 -m tests fix`; change the structs there. -->

With `--json` a verb prints one document on standard output, and its field `schema` says which: `tako.<name>/<number>`.
A document may get further fields; one that goes, or changes its meaning, makes a new number.
The schemas are JSON Schema 2020-12.
"""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def render() -> str:
    """Write the index."""
    rows = [
        (f"`tako.{name}/1`", f"[{name}.json]({name}.json)", words.about(kind).replace("\n", " "))
        for name, kind in documents.DOCUMENTS.items()
    ]
    return HEAD + "\n" + words.table(("schema", "file", "what it tells"), rows)


def files() -> dict[str, str]:
    """Make the schemas: file name → text."""
    return {f"{name}.json": _schema(name, kind) for name, kind in documents.DOCUMENTS.items()}


def _schema(name: str, kind: type[msgspec.Struct]) -> str:
    made: dict[str, dict[str, dict[str, dict[str, object]]]] = msgspec.json.schema(kind)
    for part in made["$defs"].values():
        part.pop("additionalProperties", None)  # newer documents may have more fields
    made["$defs"][kind.__name__]["properties"]["schema"] = {"const": f"tako.{name}/1"}
    return json.dumps({"$schema": DIALECT, "$id": f"tako.{name}/1", **made}, indent=2, ensure_ascii=False) + "\n"
