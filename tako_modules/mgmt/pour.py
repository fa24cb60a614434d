"""The client's side of an upload: a file's bytes as frames, from the offset that the server asked for."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from tako_modules.base.errors import TakoError
from tako_modules.protocol import frames

__all__ = ["UploadSource"]


class UploadSource:
    """A file to send: bytes `offset` to `size` of it. `done` once the last frame is out; `problem` if it cannot be."""

    def __init__(self, path: Path, offset: int, size: int, progress: Callable[[int], None] | None) -> None:
        self.done = False
        self.problem: TakoError | None = None
        self._path = path
        self._offset = offset
        self._size = size
        self._progress = progress

    async def pour(self, send: Callable[[bytes], Awaitable[None]], waiting: anyio.CancelScope) -> None:
        """Send all frames; `waiting` is cancelled when the file itself is at fault, since no answer would come."""
        try:
            await self._pour(send)
        except OSError as error:
            self.problem = TakoError(f"cannot read {self._path}: {error.strerror}", hint="run the same command again")
            waiting.cancel()
        except TakoError as error:
            self.problem = error
            waiting.cancel()

    async def _pour(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        if not 0 <= self._offset <= self._size:
            raise TakoError(f"the server asks for byte {self._offset} of an artifact of {self._size} bytes")
        sent = self._offset
        async with await anyio.open_file(self._path, "rb") as file:
            await file.seek(sent)
            while sent < self._size:
                data = await file.read(min(frames.FRAME_LIMIT, self._size - sent))
                if not data:
                    raise TakoError(f"{self._path} became shorter while it was sent", hint="run the same command again")
                await send(frames.encode_frame(data))
                sent += len(data)
                if self._progress is not None:
                    self._progress(sent)
        await send(frames.encode_frame(b""))
        self.done = True
