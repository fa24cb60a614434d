"""Verbs that end in every way there is."""

import click

from tako_modules.base.errors import Locked, PartlyDone, TakoError
from tako_modules.cli import console, options


@click.command()
@click.option("--how", default="well")
@options.shared
def command(how: str) -> int:
    """End in the way that was asked for."""
    out = console.console(options.chosen())
    out.emit({"schema": "tako.sample/1", "how": how} if how in {"well", "partly"} else {"schema": "none"})
    return end(how)


@click.command()
@options.shared
def show() -> None:
    """Print the common options."""
    print(options.chosen())


@click.command()
@click.option("--how", default="well")
@options.shared
def fail(how: str) -> int:
    """End in the way that was asked for, and print nothing before."""
    return end(how)


def end(how: str) -> int:
    """Return or raise."""
    errors: dict[str, BaseException] = {
        "locked": Locked("locked by ann@laptop until 12:00", hint="wait, or use `--wait 60`"),
        "partly": PartlyDone("1 of 2 servers failed"),
        "bug": ZeroDivisionError("by zero"),
        "stopped": KeyboardInterrupt(),
        "group": ExceptionGroup("tasks", [ExceptionGroup("inner", [TakoError("it failed", hint="do this")])]),
        "mixed": ExceptionGroup("tasks", [TakoError("it failed"), ZeroDivisionError("by zero")]),
        "stopped group": BaseExceptionGroup("tasks", [KeyboardInterrupt(), TakoError("it failed")]),
        "exit": SystemExit(3),
    }
    if how in errors:
        raise errors[how]
    return 6 if how == "six" else 0
