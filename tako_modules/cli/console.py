"""What people and programs see: progress on standard error, results on standard output, or one JSON document.

A terminal gets moving lines (rich, imported with the first step; it takes NO_COLOR); a pipe, `--plain` and TERM=dumb
get one plain line per step.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TextIO

import click

from tako_modules.base.clock import Clock, SystemClock
from tako_modules.base.text import duration_text

from .options import Options

__all__ = ["Console", "Said", "Step", "console"]


@dataclass(slots=True)
class Said:
    """What this process has put on standard output: a document is printed once, by a verb or for its failure."""

    document: bool = False

    def emit(self, document: Mapping[str, object]) -> None:
        """Print the one document of this process."""
        import msgspec

        assert "schema" in document, "a document names its schema"
        assert not self.document, "one document per run"
        self.document = True
        encoded = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
        print(encoded, flush=True)


class Display(Protocol):
    """Shows running steps; keys are given by the console."""

    def begin(self, key: int, name: str) -> None:
        """A step begins."""
        ...

    def update(self, key: int, done: int, total: int) -> None:
        """A step has done `done` of `total` bytes or parts."""
        ...

    def end(self, key: int, line: str) -> None:
        """A step is over; `line` is what remains of it."""
        ...

    def line(self, text: str) -> None:
        """Something is said meanwhile."""
        ...


class Plain:
    """A line per finished step, for pipes, logs and people who want it still."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self, key: int, name: str) -> None:
        """Say nothing yet: the line comes with the end."""

    def update(self, key: int, done: int, total: int) -> None:
        """Say nothing: a bar is for terminals."""

    def end(self, key: int, line: str) -> None:
        """Print what remains of the step."""
        self.line(line)

    def line(self, text: str) -> None:
        """Print a line."""
        print(text, file=self._stream, flush=True)


class Mute:
    """Nothing at all: `--quiet`."""

    def begin(self, key: int, name: str) -> None:
        """Say nothing."""

    def update(self, key: int, done: int, total: int) -> None:
        """Say nothing."""

    def end(self, key: int, line: str) -> None:
        """Say nothing."""

    def line(self, text: str) -> None:
        """Say nothing."""


@dataclass(slots=True, kw_only=True)
class Step:
    """A step that runs; end it once."""

    name: str
    key: int
    started: float
    display: Display
    clock: Clock
    over: bool = False

    def update(self, done: int, total: int) -> None:
        """Tell how far it is, in bytes or parts."""
        self.display.update(self.key, done, total)

    def end(self, *, ok: bool = True) -> None:
        """Say that it is over, and how it went; only the first call counts."""
        if not self.over:
            self.over = True
            took = duration_text(self.clock.monotonic() - self.started)
            self.display.end(self.key, f"{'✓' if ok else '✗'} {self.name}  {took}")


class Console:
    """One per run of a verb: made by `console()`."""

    def __init__(self, options: Options, said: Said, display: Display, clock: Clock) -> None:
        self.options = options
        self._said = said
        self._display = display
        self._clock = clock
        self._steps = 0

    def line(self, text: str = "") -> None:
        """Print a line of the result; nothing with `--json`."""
        if not self.options.json:
            print(text)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print rows in aligned columns; nothing with `--json`."""
        texts = [[str(cell) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(headings, *texts, strict=True)]
        for row in [[heading.upper() for heading in headings], *texts]:
            self.line("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())

    def emit(self, document: Mapping[str, object]) -> None:
        """Print the result as the one document, with its `schema`; nothing without `--json`."""
        if self.options.json:
            self._said.emit(document)

    def say(self, text: str) -> None:
        """Tell what happens, on standard error; nothing with `--quiet`."""
        self._display.line(text)

    def detail(self, text: str) -> None:
        """Tell what only `--verbose` wants to know."""
        if self.options.verbose:
            self._display.line(text)

    def warn(self, text: str) -> None:
        """Tell what should not be overlooked, on standard error, also with `--quiet`."""
        if self.options.quiet:
            print(f"warning: {text}", file=sys.stderr, flush=True)
        else:
            self._display.line(f"warning: {text}")

    def begin(self, name: str) -> Step:
        """Begin a step that the caller ends: steps of several servers overlap."""
        self._steps += 1
        step = Step(
            name=name, key=self._steps, started=self._clock.monotonic(), display=self._display, clock=self._clock
        )
        self._display.begin(step.key, name)
        return step

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show a step while the block runs; an exception marks it as failed."""
        step = self.begin(name)
        try:
            yield step
        except BaseException:
            step.end(ok=False)
            raise
        step.end()


def console(options: Options, *, clock: Clock | None = None) -> Console:
    """Make the console of the running verb."""
    context = click.get_current_context(silent=True)
    said = context.find_object(Said) if context else None
    return Console(options, said or Said(), display_for(options, sys.stderr), clock or SystemClock())


def display_for(options: Options, stream: TextIO) -> Display:
    """Choose how steps are shown on a stream."""
    if options.quiet:
        return Mute()
    if options.plain or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return Plain(stream)
    from .live import Live

    return Live(stream)
