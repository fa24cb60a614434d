"""The last line: runs a verb, and makes of whatever it raises a message, a document and an exit code."""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from tako_modules.base import paths
from tako_modules.base.clock import SystemClock, utc_text
from tako_modules.base.errors import Cancelled, TakoError, UsageError

from .console import Said
from .group import LazyGroup
from .streams import Unwritten
from .words import error_text

__all__ = ["run"]

BUG = 1
RUNTIME = Path(__file__).parents[2]
KEPT = 50  # tracebacks in TAKO_HOME/errors: enough for a report, never a burden


@dataclass(frozen=True, slots=True)
class Wanted:
    """How failures are to be told, found in the words themselves: they may be too wrong for a parser."""

    json: bool
    verbose: bool
    events: bool = False

    @classmethod
    def read(cls, arguments: Sequence[str]) -> "Wanted":
        """Look for `--json`, `--events` and `-v` before a `--`."""
        end = arguments.index("--") if "--" in arguments else len(arguments)
        ours = arguments[:end]
        events = "--events" in ours
        return cls(events or "--json" in ours, "-v" in ours or "--verbose" in ours, events)


def run(arguments: Sequence[str], group: click.Group | None = None) -> int:
    """Run the verb that the arguments name; returns the exit code. BrokenPipeError passes."""
    wanted = Wanted.read(arguments)
    said = Said(lines=wanted.events)
    try:
        result = (group or LazyGroup()).main(list(arguments), "tako", standalone_mode=False, obj=said)
    except BaseException as error:  # noqa: BLE001 - the guard: all that ends a verb is told apart below
        return _outcome(error, wanted, said)
    return result if isinstance(result, int) else 0


def _outcome(error: BaseException, wanted: Wanted, said: Said) -> int:
    leaves = list(_leaves(error))
    if any(isinstance(leaf, KeyboardInterrupt | click.Abort) for leaf in leaves):
        return _tell(Cancelled("stopped by you", hint="run `tako status` to see what there is"), error, wanted, said)
    for leaf in leaves:
        if isinstance(leaf, BrokenPipeError | SystemExit | click.exceptions.Exit):
            return _ending(leaf)
    if all(isinstance(leaf, TakoError | click.ClickException) for leaf in leaves):
        first = next((leaf for leaf in leaves if isinstance(leaf, TakoError)), None)
        return _tell(first or _usage(leaves[0]), error, wanted, said)
    return _tell_bug(error, wanted, said)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _ending(error: BaseException) -> int:
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, SystemExit) and isinstance(error.code, int | None):
        return error.code or 0
    raise error


def _usage(error: BaseException) -> TakoError:
    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "tako"
    return UsageError(message.rstrip("."), hint=f"run `{path} --help` to see what it takes")


def _tell(ours: TakoError, error: BaseException, wanted: Wanted, said: Said) -> int:
    if wanted.verbose and not isinstance(ours, UsageError):  # what was typed wrong is not found in our own code
        traceback.print_exception(error)
    print(error_text(ours.message, ours.hint), file=sys.stderr)
    _document(ours.code, ours.message, ours.hint, wanted, said)
    return ours.exit_code


def _tell_bug(error: BaseException, wanted: Wanted, said: Said) -> int:
    message = f"a bug in tako stopped it: {''.join(traceback.format_exception_only(error)).strip()}"
    place = None if wanted.verbose else _keep(error)
    if place is None:
        traceback.print_exception(error)
    hint = f"report it with {place}" if place else "report it with the lines above"
    if isinstance(error, ImportError) and "TAKO_PYZ" in os.environ:  # a power cut may have emptied unpacked files
        hint = f"remove the unpacked runtime with `rm -r {RUNTIME}` and run this again; if it stays, {hint}"
    print(error_text(message, hint), file=sys.stderr)
    _document("bug", message, hint, wanted, said)
    return BUG


def _keep(error: BaseException) -> str | None:
    """Write the traceback below TAKO_HOME, the oldest ones going; None when that cannot be."""
    try:
        folder = paths.home().errors
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in sorted(folder.glob("*.txt"))[: -KEPT + 1]:
            old.unlink(missing_ok=True)
        file = folder / f"{utc_text(SystemClock().now()).replace(':', '')}-{os.getpid()}.txt"
        file.touch(0o600)
        file.write_text("".join(traceback.format_exception(error)))
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    return str(file)


def _document(code: str, message: str, hint: str, wanted: Wanted, said: Said) -> None:
    if not wanted.json or said.document:
        return
    with contextlib.suppress(Unwritten):  # it was told on standard error
        said.emit({"schema": "tako.error/1", "error": {"code": code, "message": message, "hint": hint}})
