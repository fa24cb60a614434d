"""The one error family: what a person can understand and usually fix.

TakoError             exit 1  failed
├─ UsageError         exit 2  bad usage
│  └─ ConfigError     exit 2  a configuration file is wrong
├─ Refused            exit 1  a server's answer `error`, raised again on this side
│  └─ Locked          exit 3  somebody else holds the lease, or ours was lost
├─ Unreachable        exit 4  a server could not be reached
├─ Cancelled          exit 5  the person stopped it
└─ PartlyDone         exit 6  some servers did it, others did not

Foreign exceptions become one of these in the driver that met them (`translate`); anything else is our bug and keeps its
traceback.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

__all__ = [
    "Cancelled",
    "ConfigError",
    "Locked",
    "PartlyDone",
    "Refused",
    "TakoError",
    "Unreachable",
    "UsageError",
    "all_failed",
    "translate",
]


class TakoError(Exception):
    """Something the user can understand and usually fix: what happened, why, and in `hint` the next command."""

    exit_code = 1
    code = "failed"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TakoError):
    """The command line asks for something that cannot be."""

    exit_code = 2
    code = "usage"


class ConfigError(UsageError):
    """A configuration file is wrong; the message names file, line and key."""

    code = "config"


class Refused(TakoError):
    """A server refused a message; `code` is the wire's word for the reason."""

    def __init__(self, message: str, *, code: str = "failed", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Locked(Refused):
    """Somebody else holds the lease of an app, or ours was lost: codes `locked` and `lease_lost`."""

    exit_code = 3

    def __init__(self, message: str, *, code: str = "locked", hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)


class Unreachable(TakoError):
    """A server could not be reached, or the connection to it ended."""

    exit_code = 4
    code = "unreachable"


class Cancelled(TakoError):
    """The person at the keyboard stopped it."""

    exit_code = 5
    code = "cancelled"


class PartlyDone(TakoError):
    """Some servers did what was asked and others did not."""

    exit_code = 6
    code = "partly_done"


def all_failed(errors: Sequence[TakoError]) -> TakoError:
    """Choose the error, and so the exit code, of what failed on every server that it was asked of.

    A single server's is its own, and so is what all of them agree on: stopped, locked, not reached. Else it is 1.
    """
    agreed = any(all(isinstance(error, kind) for error in errors) for kind in (Cancelled, Locked, Unreachable))
    if agreed or len(errors) == 1:
        return errors[0]
    first = next(error for error in errors if not isinstance(error, Unreachable))
    return TakoError(f"{len(errors)} servers failed: {first.message}", hint=first.hint)


@contextmanager
def translate(table: Mapping[type[Exception], type[TakoError]], what: str, *, hint: str = "") -> Iterator[None]:
    """Turn foreign exceptions into ours at the edge of a driver, the cause kept.

    table: foreign class → ours, first match wins; what: what was being done, e.g. "read ~/.tako/config.toml".
    """
    try:
        yield
    except tuple(table) as error:
        ours = next(ours for theirs, ours in table.items() if isinstance(error, theirs))
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ours(f"{what}: {reason}", hint=hint) from error
