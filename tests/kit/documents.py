"""Checks of what verbs print with `--json` against the structs that docs/reference/json is made of."""

import json

import msgspec

from tako_modules.cli import documents

__all__ = ["checked"]


def checked(printed: str) -> dict[str, object]:
    """Read one document; fails when its schema is not known, or does not know all that is in it."""
    document = json.loads(printed)
    assert isinstance(document, dict), printed
    name = document["schema"].removeprefix("tako.").removesuffix("/1")
    read = msgspec.json.decode(printed, type=documents.DOCUMENTS[name])
    assert _strangers(document, json.loads(msgspec.json.encode(read))) == []
    return document


def _strangers(printed: object, known: object, place: str = "") -> list[str]:
    """List what was printed and no struct knows."""
    if isinstance(printed, dict) and isinstance(known, dict):
        missing = [f"{place}.{key}" for key in printed.keys() - known.keys()]
        both = printed.keys() & known.keys()
        return missing + [one for key in both for one in _strangers(printed[key], known[key], f"{place}.{key}")]
    if isinstance(printed, list) and isinstance(known, list):
        pairs = zip(printed, known, strict=True)
        return [one for first, second in pairs for one in _strangers(first, second, f"{place}[]")]
    return []
