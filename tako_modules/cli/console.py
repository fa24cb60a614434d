"""What people and programs see: progress on standard error, results on standard output, or one JSON document.

A terminal gets moving lines (rich, imported with the first step; it takes NO_COLOR); a pipe, `--plain` and TERM=dumb
get one plain line per step. With `--events` steps are JSON documents, one a line.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TextIO

import click

from tako_modules.base.clock import Clock, SystemClock
from tako_modules.base.text import plain_text

from .display import Display, Mute, Plain
from .options import Options

__all__ = ["Console", "Said", "Step", "console"]


@dataclass(slots=True)
class Said:
    """What this process has put on standard output: a document is printed once, by a verb or for its failure.

    lines: `--events`, where it is the last of many.
    """

    document: bool = False
    lines: bool = False

    def emit(self, document: Mapping[str, object]) -> None:
        """Print the one document of this process; on one line where others came before it."""
        import msgspec

        assert "schema" in document, "a document names its schema"
        assert not self.document, "one document per run"
        self.document = True
        encoded = msgspec.json.encode(document)
        print((encoded if self.lines else msgspec.json.format(encoded, indent=2)).decode(), flush=True)


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
            self.display.end(self.key, self.name, self.clock.monotonic() - self.started, ok=ok)


class Console:
    """One per run of a verb: made by `console()`; whatever is said passes it, and steers no terminal."""

    def __init__(self, options: Options, said: Said, display: Display, clock: Clock) -> None:
        self.options = options
        self._said = said
        self._display = display
        self._clock = clock
        self._steps = 0

    def line(self, text: str = "") -> None:
        """Print a line of the result; nothing with `--json`."""
        if not self.options.json:
            print(plain_text(text))

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print rows in aligned columns; nothing with `--json`."""
        texts = [[plain_text(str(cell), lines=False) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(headings, *texts, strict=True)]
        for row in [[heading.upper() for heading in headings], *texts]:
            self.line("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())

    def emit(self, document: Mapping[str, object]) -> None:
        """Print the result as the one document, with its `schema`; nothing without `--json`."""
        if self.options.json:
            self._said.emit(document)

    def say(self, text: str) -> None:
        """Tell what happens, on standard error; nothing with `--quiet`."""
        self._display.line(plain_text(text))

    def detail(self, text: str) -> None:
        """Tell what only `--verbose` wants to know."""
        if self.options.verbose:
            self.say(text)

    def error(self, text: str) -> None:
        """Tell why something failed, or what to do about it, on standard error, also with `--quiet`."""
        if self.options.quiet:
            print(plain_text(text), file=sys.stderr, flush=True)
        else:
            self.say(text)

    def warn(self, text: str) -> None:
        """Tell what should not be overlooked, on standard error, also with `--quiet`."""
        self.error(f"warning: {text}")

    def still(self) -> AbstractContextManager[None]:
        """Let nothing move in the block: a person is asked something."""
        return self._display.still()

    def begin(self, name: str) -> Step:
        """Begin a step that the caller ends: steps of several servers overlap."""
        self._steps += 1
        name = plain_text(name, lines=False)
        step = Step(
            name=name, key=self._steps, started=self._clock.monotonic(), display=self._display, clock=self._clock
        )
        self._display.begin(step.key, name)
        return step

    @contextmanager
    def opening(self, name: str) -> Iterator[Step]:
        """Show a step that the block ends when it has come that far; it has failed where the block does not."""
        step = self.begin(name)
        try:
            yield step
        finally:
            step.end(ok=False)

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
    clock = clock or SystemClock()
    if options.events and not options.quiet:
        from .events import Events

        return Console(options, said or Said(lines=True), Events(sys.stdout, clock), clock)
    return Console(options, said or Said(), display_for(options, sys.stderr), clock)


def display_for(options: Options, stream: TextIO) -> Display:
    """Choose how steps are shown to people on a stream."""
    if options.quiet:
        return Mute()
    if options.plain or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return Plain(stream)
    from .live import Live

    return Live(stream)
