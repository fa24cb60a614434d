"""How running steps are shown: what every way of showing has in common, and the two that need no library."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TextIO

from tako_modules.base.text import duration_text

__all__ = ["Display", "Mute", "Plain", "ended_text"]


def ended_text(name: str, seconds: float, *, ok: bool) -> str:
    """Word the end of a step."""
    return f"{'✓' if ok else '✗'} {name}  {duration_text(seconds)}"


class Display(Protocol):
    """Shows running steps; keys are given by the console."""

    def begin(self, key: int, name: str) -> None:
        """A step begins."""
        ...

    def update(self, key: int, done: int, total: int) -> None:
        """A step has done `done` of `total` bytes or parts."""
        ...

    def end(self, key: int, name: str, seconds: float, *, ok: bool) -> None:
        """A step is over, well or not."""
        ...

    def line(self, text: str) -> None:
        """Something is said meanwhile."""
        ...

    def still(self) -> AbstractContextManager[None]:
        """Nothing moves in the block: a person is asked something."""
        ...


class Plain:
    """A line per finished step, for pipes, logs and people who want it still."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self, key: int, name: str) -> None:
        """Say nothing yet: the line comes with the end."""

    def update(self, key: int, done: int, total: int) -> None:
        """Say nothing: a bar is for terminals."""

    def end(self, key: int, name: str, seconds: float, *, ok: bool) -> None:
        """Print what remains of the step."""
        self.line(ended_text(name, seconds, ok=ok))

    def line(self, text: str) -> None:
        """Print a line."""
        print(text, file=self._stream, flush=True)

    def still(self) -> AbstractContextManager[None]:
        """Nothing moves anyway."""
        return nullcontext()


class Mute:
    """Nothing at all: `--quiet`."""

    def begin(self, key: int, name: str) -> None:
        """Say nothing."""

    def update(self, key: int, done: int, total: int) -> None:
        """Say nothing."""

    def end(self, key: int, name: str, seconds: float, *, ok: bool) -> None:
        """Say nothing."""

    def line(self, text: str) -> None:
        """Say nothing."""

    def still(self) -> AbstractContextManager[None]:
        """Nothing moves anyway."""
        return nullcontext()
