"""The standard streams where somebody closed or filled them: results are missed and told, progress is not.

A closed stream swallows everything, as /dev/null does.
"""

import contextlib
import io
import os
import sys
from typing import TextIO

from tako_modules.base.errors import TakoError

__all__ = ["Unwritten", "give_up", "open_closed", "watch"]

STDOUT, STDERR = 1, 2


class Unwritten(TakoError):
    """Standard output takes no more: its disk is full, or its device refuses."""


class _Raw(io.RawIOBase):
    """A stream's descriptor; whoever reads the result may leave early, so that BrokenPipeError passes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: object) -> int:
        """Write, or raise Unwritten for a result; progress is lost where it cannot be written."""
        assert isinstance(data, memoryview), "a BufferedWriter hands over memory"
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            if self._descriptor == STDERR:
                return len(data)
            if isinstance(error, BrokenPipeError):
                raise
            raise Unwritten(
                f"the result cannot be written to standard output: {error.strerror or error}",
                hint="send it elsewhere; what was asked for may be done already: look with `tako status`",
            ) from error


def open_closed() -> None:
    """Put /dev/null in the place of streams that are closed, before another file gets their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            file = io.FileIO(os.devnull, mode)
            os.set_inheritable(file.fileno(), True)
            setattr(sys, name, io.TextIOWrapper(io.BufferedReader(file) if mode == "r" else io.BufferedWriter(file)))


def watch() -> None:
    """Have a standard output that cannot be written raise Unwritten, and such progress be lost without a word."""
    if sys.__stdout__ is not None and sys.stdout is sys.__stdout__:
        sys.stdout = _watched(sys.__stdout__, STDOUT)
    if sys.__stderr__ is not None and sys.stderr is sys.__stderr__:
        sys.stderr = _watched(sys.__stderr__, STDERR)


def _watched(stream: TextIO, descriptor: int) -> TextIO:
    """Make the same stream anew."""
    return io.TextIOWrapper(
        io.BufferedWriter(_Raw(descriptor)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=descriptor == STDERR or stream.isatty(),
    )


def give_up() -> None:
    """Let standard output swallow what it still holds, so that the end of the process is quiet."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
