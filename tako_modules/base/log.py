"""Events with fields, one line each on stderr; values of type Secret stay hidden."""

import os
import sys
from datetime import UTC, datetime

import msgspec

from .text import Secret

__all__ = ["error", "event"]

_LIMIT = 8192  # bytes of one line: an event is a sentence, not a dump
_FIELD = 500  # characters of each field of an event that would be longer


def event(name: str, **fields: object) -> None:
    """Write one event, e.g. `event("instance.ready", app="shop", after=1.2)`; never raises."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    head = {"t": stamp, "event": name}
    try:
        os.write(sys.stderr.fileno(), _line(head, fields) + b"\n")
    except OSError:
        return  # a full disk or a closed pipe must not end a server


def _line(head: dict[str, str], fields: dict[str, object]) -> bytes:
    """Encode an event; what is too long, or no text at all, is cut and replaced, so that it stays one document."""
    try:
        line = msgspec.json.encode({**head, **fields}, enc_hook=_hook)
    except UnicodeEncodeError:  # a path with a foreign byte
        line = b""
    if line and len(line) <= _LIMIT:
        return line
    short = {name: _hook(value)[:_FIELD].encode(errors="replace").decode() for name, value in fields.items()}
    line = msgspec.json.encode({**head, **short})
    return line if len(line) <= _LIMIT else msgspec.json.encode(head)


def error(name: str, problem: BaseException, **fields: object) -> None:
    """Write one event about an exception: its type and words."""
    event(name, error=f"{type(problem).__name__}: {problem}", **fields)


def _hook(value: object) -> str:
    return "[secret]" if isinstance(value, Secret) else str(value)
