"""From an instance's output pipe to its file, for as long as it lives; an app is never made to wait for a disk."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

import anyio

from tako_modules.base import log
from tako_modules.base.clock import Clock

from .logfile import LogFile

__all__ = ["Capture", "file_name"]

PAUSE_SECONDS = 0.01  # after a move that left the pipe nearly empty: many small lines become one move
PAUSE_PIPE = 64 << 10  # bytes of a pipe from which on there may be a pause: a smaller one fills up meanwhile
BUSY_SHARE = 4  # a move of a quarter of the pipe is not followed by a pause
DROP_BYTES = 64 << 10  # read and forgotten at once while the file cannot take it
COMPLAIN_SECONDS = 60.0  # between events about lost output of one instance
FINISH_MOVES = 64  # at its end: 64 MiB, more than any pipe holds, so a child of its that prints for ever is left alone


def file_name(number: int, service: str = "web") -> str:
    """Name the file of one instance's output."""
    return f"{service}-{number}.log"


class Capture:
    """Moves one pipe into one file; owns the pipe's descriptor from now on."""

    def __init__(self, folder: Path, number: int, pipe: int, clock: Clock, *, rootless: bool = False) -> None:
        os.set_blocking(pipe, False)
        self._pipe = pipe
        self._clock = clock
        self._words = {"app": folder.name, "instance": number}
        self._file = LogFile(folder, file_name(number), 0o600 if rootless else 0o640)
        self._dropped = 0
        self._reason = ""
        self._complained_at = -COMPLAIN_SECONDS
        self._room = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)

    async def run(self) -> None:
        """Move output until the pipe ends or `finish` is called; may be cancelled and run again."""
        while self._pipe >= 0:
            try:
                await anyio.wait_readable(self._pipe)
            except anyio.ClosedResourceError:
                return  # finished meanwhile
            moved = self.move()
            if moved == 0:
                return
            if self._room >= PAUSE_PIPE and moved < self._room // BUSY_SHARE:
                await self._clock.sleep(PAUSE_SECONDS)

    def move(self) -> int:
        """Move what is there: bytes, -1 when there is nothing now, 0 at the end."""
        if self._pipe < 0:
            return 0
        if self._dropped:
            self._confess()
        try:
            return self._file.take(self._pipe, self._clock.now())
        except BlockingIOError:
            return -1
        except OSError as problem:
            return self._drop(problem)

    def _drop(self, problem: OSError) -> int:
        """Read and forget: the disk is full, and the app must go on."""
        try:
            dropped = len(os.read(self._pipe, DROP_BYTES))
        except BlockingIOError:
            return -1
        self._dropped += dropped
        self._reason = os.strerror(problem.errno or errno.EIO)
        now = self._clock.monotonic()
        if now >= self._complained_at + COMPLAIN_SECONDS:
            self._complained_at = now
            log.event("log.dropped", **self._words, bytes=self._dropped, reason=self._reason)
        return dropped

    def _confess(self) -> None:
        """Say in the file itself what is missing there."""
        with contextlib.suppress(OSError):  # the disk is still full
            self._file.write(f"[tako] {self._dropped} bytes before this line were lost: {self._reason}")
            self._dropped = 0

    def finish(self) -> None:
        """The instance has ended: move its last words and close everything; does nothing the second time."""
        if self._pipe < 0:
            return
        for _ in range(FINISH_MOVES):
            if self.move() <= 0:
                break
        anyio.notify_closing(self._pipe)
        os.close(self._pipe)
        self._pipe = -1
        self._file.close()
