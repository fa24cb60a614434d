"""The options that every verb takes, and what was typed of them as one value."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import click

__all__ = ["Options", "before_verb", "chosen", "shared"]

_KEY = "tako.options"
F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was typed of the common options; env and config: None when the verb decides; events: json too."""

    env: str | None = None
    config: Path | None = None
    yes: bool = False
    json: bool = False
    events: bool = False
    plain: bool = False
    quiet: bool = False
    verbose: bool = False


class _Shape(NamedTuple):
    names: tuple[str, ...]
    help: str
    metavar: str | None = None
    type: click.Path | None = None


_EVERYWHERE = (
    _Shape(("--env",), "The environment it is about.", "NAME"),
    _Shape(("-c", "--config"), "Use this file for tako.toml.", "FILE", click.Path(dir_okay=False, path_type=Path)),
    _Shape(("-y", "--yes"), "Answer every question with yes."),
    _Shape(("--json",), "Print one JSON document on standard output."),
    _Shape(("--events",), "As --json, and one document a line for each step before it."),
    _Shape(("--plain",), "No colours and no moving lines."),
    _Shape(("-q", "--quiet"), "Results and errors only."),
    _Shape(("-v", "--verbose"), "Tell more, also of failures."),
)


def shared(function: F) -> F:
    """Give a verb the common options; inside it `chosen()` has what was typed."""
    for one in reversed(_EVERYWHERE):
        function = click.option(
            *one.names,
            is_flag=one.metavar is None,
            default=False if one.metavar is None else None,
            metavar=one.metavar,
            type=one.type,
            help=one.help,
            expose_value=False,
            callback=_keep,
        )(function)
    return function


def before_verb() -> list[click.Parameter]:
    """Make the common options anew, for a group: what is typed in front of the verb counts as behind it."""
    return click.command("tako")(shared(lambda: None)).params


def chosen() -> Options:
    """Give what was typed of the common options, inside of a running verb."""
    typed = click.get_current_context().meta.get(_KEY, {})
    return Options(**{**typed, "json": typed.get("json") or typed.get("events", False)})


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    typed = context.meta.setdefault(_KEY, {})
    if value is not None and value is not False:  # a verb's default must not undo what stands in front of the verb
        typed[parameter.name] = value
