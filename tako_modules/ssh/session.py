"""One login on a host: commands as argv lists, files, and a command's pipes as a byte stream."""

import shlex
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import anyio

from tako_modules.base.errors import TakoError
from tako_modules.base.process import OUTPUT_LIMIT, Result

from . import problems, transfer
from .library import asyncssh
from .login import Login

__all__ = ["Session"]

CHUNK = 64 << 10  # bytes of one read of a command's output
GONE = (asyncssh.Error, OSError)  # what asyncssh raises when the channel or the connection under it has ended


class Session:
    """A login; implements Shell. Several commands may run at once; user: as whom."""

    def __init__(self, connection: asyncssh.SSHClientConnection, login: Login, user: str) -> None:
        self.connection = connection
        self.login = login
        self.user = user

    @property
    def name(self) -> str:
        """How messages call the host."""
        return self.login.label

    async def run(self, *argv: str, stdin: bytes = b"", timeout: float = 60) -> Result:
        """Run a command to its end; raises Unreachable when the connection ends, TakoError when it takes too long."""
        return await self.feed(argv, _whole(stdin), timeout)

    async def put(
        self, source: Path | bytes, remote: str, *, mode: int = 0o644, progress: Callable[[int], None] | None = None
    ) -> None:
        """Write a file whole or not at all, verified by SHA-256; progress: bytes that were sent."""
        await transfer.put(self.feed, source, remote, mode=mode, progress=progress)

    async def feed(self, argv: Sequence[str], stdin: AsyncGenerator[bytes, None], timeout: float) -> Result:
        """Run a command whose input is made while it runs; raises as `run` does."""
        try:
            with anyio.fail_after(timeout):
                return await self._feed(argv, stdin)
        except TimeoutError as error:
            raise TakoError(f"{argv[0]} on {self.name} did not end within {timeout:.0f} s") from error

    async def open(self, argv: Sequence[str]) -> asyncssh.SSHClientProcess[bytes]:
        """Start a command and give its pipes; raises Unreachable."""
        try:
            return await self.connection.create_process(_quoted(argv), encoding=None, request_pty=False)
        except GONE as error:
            raise problems.ended(self.name, error) from error

    async def _feed(self, argv: Sequence[str], stdin: AsyncGenerator[bytes, None]) -> Result:
        process = await self.open(argv)
        try:
            out, err = _Output(process.stdout), _Output(process.stderr)
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(out.read)
                    tasks.start_soon(err.read)
                    tasks.start_soon(_write, process, stdin)
            except ExceptionGroup as group:
                raise group.exceptions[0] from None  # only what makes the input can fail here
            if out.is_too_long or err.is_too_long:
                raise TakoError(f"{argv[0]} on {self.name} printed more than {OUTPUT_LIMIT} bytes")
            await process.wait_closed()
        finally:
            process.close()
        code = process.returncode
        if code is None:
            raise problems.ended(self.name)
        return Result(code=code, out=bytes(out.data), err=bytes(err.data))


class _Output:
    """One output of a command, bounded; when it is too long the rest is read and thrown away."""

    def __init__(self, reader: asyncssh.SSHReader[bytes]) -> None:
        self.data = bytearray()
        self.is_too_long = False
        self._reader = reader

    async def read(self) -> None:
        """Read to the end, or to the end of the connection: the exit code tells which it was."""
        try:
            while data := await self._reader.read(CHUNK):
                if len(self.data) + len(data) > OUTPUT_LIMIT:
                    self.is_too_long = True
                else:
                    self.data += data
        except GONE:
            return


async def _write(process: asyncssh.SSHClientProcess[bytes], chunks: AsyncGenerator[bytes, None]) -> None:
    async with aclosing(chunks):
        async for data in chunks:
            try:
                process.stdin.write(data)
                await process.stdin.drain()
            except GONE:
                return  # the command reads no more; its exit code and words tell why
    try:
        process.stdin.write_eof()
    except GONE:
        return


async def _whole(data: bytes) -> AsyncGenerator[bytes, None]:
    if data:
        yield data


def _quoted(argv: Sequence[str]) -> str:
    """Write an argv for the login shell at the other end: the one place where words are quoted."""
    return shlex.join(argv)
