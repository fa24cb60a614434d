"""A file's way to a host: beside its name first, then checked, then renamed; with commands that every system has."""

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path

import anyio

from tako_modules.base import files, ids
from tako_modules.base.errors import TakoError
from tako_modules.base.process import Result

__all__ = ["Feed", "put"]

CHUNK = 256 << 10  # bytes between two reports of progress
PUT_SECONDS = 1800.0  # for a whole file: 40 MB over a line of 200 kbit/s
STEP_SECONDS = 60.0  # for each of the small commands around it
Feed = Callable[[Sequence[str], AsyncGenerator[bytes, None], float], Awaitable[Result]]


async def put(
    feed: Feed, source: Path | bytes, remote: str, *, mode: int, progress: Callable[[int], None] | None = None
) -> None:
    """Write a file whole or not at all, verified by SHA-256; raises TakoError when the host cannot keep it.

    feed: runs a command on the host with an input that is made while it runs.
    """
    beside = f"{remote}.{ids.token(4)}.part"
    try:
        await _step(feed, remote, "install", "-m", f"{mode & 0o7777:04o}", "/dev/null", beside)
        await _step(
            feed, remote, "dd", f"of={beside}", "bs=65536", "conv=notrunc,fsync", chunks=_chunks(source, progress)
        )
        await _check(feed, source, beside, remote)
        await _step(feed, remote, "mv", "-f", beside, remote)
    except BaseException:
        with anyio.CancelScope(shield=True), anyio.move_on_after(STEP_SECONDS):
            await _remove(feed, beside)
        raise


async def _check(feed: Feed, source: Path | bytes, beside: str, remote: str) -> None:
    mine = (
        hashlib.sha256(source).hexdigest()
        if isinstance(source, bytes)
        else await anyio.to_thread.run_sync(files.file_digest, source)
    )
    done = await _step(feed, remote, "sha256sum", beside)
    if done.out.split(maxsplit=1)[:1] != [mine.encode()]:
        raise TakoError(
            f"{remote} did not arrive as it was sent: its SHA-256 differs", hint="run the same command again"
        )


async def _remove(feed: Feed, path: str) -> None:
    try:
        await feed(("rm", "-f", path), _nothing(), STEP_SECONDS)
    except TakoError:
        return  # the connection is gone: what was half written stays beside the name and harms nothing


async def _step(feed: Feed, remote: str, *argv: str, chunks: AsyncGenerator[bytes, None] | None = None) -> Result:
    timeout = STEP_SECONDS if chunks is None else PUT_SECONDS
    done = await feed(argv, chunks if chunks is not None else _nothing(), timeout)
    if done.code != 0:
        words = done.err.decode(errors="replace").strip() or f"{argv[0]} ended with code {done.code}"
        raise TakoError(f"cannot write {remote}: {words}")
    return done


async def _chunks(source: Path | bytes, progress: Callable[[int], None] | None) -> AsyncGenerator[bytes, None]:
    sent = 0
    async for data in _pieces(source):
        yield data
        sent += len(data)
        if progress is not None:
            progress(sent)


async def _pieces(source: Path | bytes) -> AsyncGenerator[bytes, None]:
    if isinstance(source, bytes):
        for start in range(0, len(source), CHUNK):
            yield source[start : start + CHUNK]
        return
    try:
        async with await anyio.open_file(source, "rb") as file:
            while data := await file.read(CHUNK):
                yield data
    except OSError as error:
        raise TakoError(f"cannot read {source}: {error.strerror}") from error


async def _nothing() -> AsyncGenerator[bytes, None]:
    nothing: tuple[bytes, ...] = ()
    for data in nothing:
        yield data
