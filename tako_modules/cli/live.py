"""Moving lines on a terminal: a spinner or a bar for each running step, with the time it has taken; over rich."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console as Screen
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from .display import ended_text

__all__ = ["Live"]

FRAMES_PER_SECOND = 8  # smooth to the eye, and cheap over SSH


class Live:
    """Shows steps while they run, and leaves a plain line of each one; the screen moves only while a step runs."""

    def __init__(self, stream: TextIO) -> None:
        self._screen = Screen(file=stream, highlight=False, markup=False, emoji=False)
        self._progress: Progress | None = None
        self._tasks: dict[int, TaskID] = {}

    def begin(self, key: int, name: str) -> None:
        """Show a spinner."""
        if self._progress is None:
            self._progress = _progress(self._screen)
            self._progress.start()
        self._tasks[key] = self._progress.add_task(name, total=None)

    def update(self, key: int, done: int, total: int) -> None:
        """Show a bar."""
        if self._progress is not None and key in self._tasks:
            self._progress.update(self._tasks[key], completed=done, total=total)

    def end(self, key: int, name: str, seconds: float, *, ok: bool) -> None:
        """Take the step's moving line away and leave its last words."""
        task = self._tasks.pop(key, None)
        if self._progress is not None and task is not None:
            self._progress.remove_task(task)
        self.line(ended_text(name, seconds, ok=ok))
        if self._progress is not None and not self._tasks:
            self._progress.stop()
            self._progress = None

    def line(self, text: str) -> None:
        """Print a line above what moves."""
        self._screen.print(text, soft_wrap=True, style="red" if text.startswith("✗") else None)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Take what moves off the screen while a person is asked."""
        if self._progress is not None:
            self._progress.stop()
        try:
            yield
        finally:
            if self._progress is not None:
                self._progress.start()


def _progress(screen: Screen) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        console=screen,
        refresh_per_second=FRAMES_PER_SECOND,
        transient=True,
        redirect_stdout=True,
        redirect_stderr=True,
    )
