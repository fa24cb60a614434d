"""Events with fields, one line each on stderr; values of type Secret stay hidden."""

import os
import sys
from datetime import UTC, datetime

import msgspec

from .text import Secret

__all__ = ["error", "event"]

_LIMIT = 8192  # bytes of one line: an event is a sentence, not a dump


def event(name: str, **fields: object) -> None:
    """Write one event, e.g. `event("instance.ready", app="shop", after=1.2)`; never raises."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    line = msgspec.json.encode({"t": stamp, "event": name, **fields}, enc_hook=_hook)[:_LIMIT]
    try:
        os.write(sys.stderr.fileno(), line + b"\n")
    except OSError:
        return  # a full disk or a closed pipe must not end a server


def error(name: str, problem: BaseException, **fields: object) -> None:
    """Write one event about an exception: its type and words."""
    event(name, error=f"{type(problem).__name__}: {problem}", **fields)


def _hook(value: object) -> str:
    return "[secret]" if isinstance(value, Secret) else str(value)
