"""A terminal of a given width for a program, and what it wrote there when."""

import fcntl
import itertools
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["COLUMNS", "Seen", "on_terminal"]

ROWS, COLUMNS = 24, 80
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CHUNK = 65536
LOOK_SECONDS = 0.05  # between two looks at whether it has ended


@dataclass(frozen=True, slots=True)
class Seen:
    """How the program ended, and its output in pieces: (seconds since its start, bytes)."""

    code: int
    seconds: float
    pieces: tuple[tuple[float, bytes], ...]

    @property
    def raw(self) -> str:
        """All that was written, escape sequences too."""
        return b"".join(piece for _, piece in self.pieces).decode()

    @property
    def lines(self) -> list[str]:
        """What a person could have read: one entry for each line and each time a line was drawn anew."""
        return [line.rstrip() for line in re.split(r"[\r\n]+", ESCAPE.sub("", self.raw))]

    @property
    def longest_silence(self) -> float:
        """The longest time in which nothing was written from the first piece on, in seconds."""
        times = [*(at for at, _ in self.pieces), self.seconds]
        return max(later - earlier for earlier, later in itertools.pairwise(times))


def on_terminal(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, seconds: float, typed: bytes = b"") -> Seen:
    """Run a program on a terminal of 80 columns to its end; it is killed after `seconds`.

    typed: waits there for whoever reads.
    """
    ours, its = pty.openpty()
    try:
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.write(ours, typed)
        began = time.monotonic()
        surroundings = {**env, "TERM": "xterm-256color"}
        with subprocess.Popen(argv, env=surroundings, cwd=cwd, stdin=its, stdout=its, stderr=its) as process:
            pieces = tuple(_pieces(process, ours, began, seconds))
        return Seen(process.returncode, time.monotonic() - began, pieces)
    finally:
        os.close(its)
        os.close(ours)


def _pieces(
    process: "subprocess.Popen[bytes]", screen: int, began: float, seconds: float
) -> Iterator[tuple[float, bytes]]:
    """Give what is written until the program has ended, each piece with its time."""
    while process.poll() is None or select.select([screen], [], [], 0)[0]:
        if time.monotonic() - began > seconds:
            process.kill()
        if select.select([screen], [], [], LOOK_SECONDS)[0]:
            yield time.monotonic() - began, os.read(screen, CHUNK)
