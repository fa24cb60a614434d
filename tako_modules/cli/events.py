"""Progress for programs: a JSON document for each step that begins, moves and ends; `--events`."""

from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TextIO

import msgspec

from tako_modules.base.clock import Clock, utc_text

from .streams import Unwritten

__all__ = ["Events"]

UPDATE_SECONDS = 0.25  # between two updates of one step: an upload moves thousands of times a second


class Events:
    """Writes what happens to a stream, one document a line."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._names: dict[int, str] = {}
        self._updated: dict[int, float] = {}

    def begin(self, key: int, name: str) -> None:
        """Tell that a step begins."""
        self._names[key] = name
        self._write("begin", name, {"step": key})

    def update(self, key: int, done: int, total: int) -> None:
        """Tell how far it is, not too often."""
        now = self._clock.monotonic()
        if done >= total or now >= self._updated.get(key, float("-inf")) + UPDATE_SECONDS:
            self._updated[key] = now
            self._write("update", self._names.get(key, ""), {"step": key, "done": done, "total": total})

    def end(self, key: int, name: str, seconds: float, *, ok: bool) -> None:
        """Tell that a step is over."""
        self._names.pop(key, None)
        self._updated.pop(key, None)
        self._write("end", name, {"step": key, "ok": ok, "seconds": round(seconds, 3)})

    def line(self, text: str) -> None:
        """Pass on what was said."""
        self._write("line", text, {})

    def still(self) -> AbstractContextManager[None]:
        """Nothing moves anyway."""
        return nullcontext()

    def _write(self, event: str, text: str, more: dict[str, object]) -> None:
        at = utc_text(self._clock.now())
        document = {"schema": "tako.event/1", "event": event, "at": at, "text": text, **more}
        with suppress(Unwritten):  # the result will tell: progress that is lost stops nothing
            print(msgspec.json.encode(document).decode(), file=self._stream, flush=True)
