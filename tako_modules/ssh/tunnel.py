"""A server's management socket through SSH: the pipes of `tako __socket__`, as a byte stream."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
from anyio.abc import ByteStream

from tako_modules.base.errors import Unreachable

from . import problems
from .library import asyncssh
from .session import GONE, Session

__all__ = ["SOCKET_COMMAND", "ServerDown", "SshStream", "TakoMissing", "stream_to"]

SOCKET_COMMAND = ("/usr/local/bin/tako", "__socket__")  # replaced by sshd for user tako, whose key allows nothing else
SERVER_DOWN = 4  # exit code of `tako __socket__` when nothing listens at the socket
NOT_FOUND = (126, 127)  # exit codes of a shell that cannot run a command
CHUNK = 64 << 10  # bytes given to the channel at once; it takes more when those are sent
LAST_WORDS_SECONDS = 5.0  # for the exit code and stderr of a command that ended without a byte
WORDS_LIMIT = 4096  # bytes of stderr that are worth showing


class TakoMissing(Unreachable):
    """The host has no tako: it can be set up."""

    code = "tako_missing"


class ServerDown(Unreachable):
    """The host has tako, but its server does not run or does not let us in."""

    code = "server_down"


class SshStream(ByteStream):
    """A remote command's stdin and stdout."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes], name: str) -> None:
        self._process = process
        self._name = name
        self._silent = True
        self._closed = False

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Read at least one byte; raises Unreachable when the command ends without any, else as every ByteStream."""
        try:
            data = await self._process.stdout.read(max_bytes)
        except GONE as error:
            raise self._broken() from error
        if data:
            self._silent = False
            return data
        if self._closed:
            raise anyio.ClosedResourceError
        if self._silent:
            raise await self._last_words()
        raise anyio.EndOfStream

    async def send(self, item: bytes) -> None:
        """Write all of it; raises anyio's BrokenResourceError or ClosedResourceError."""
        await anyio.lowlevel.checkpoint()
        try:
            for start in range(0, len(item), CHUNK):
                self._process.stdin.write(item[start : start + CHUNK])
                await self._process.stdin.drain()
        except GONE as error:
            raise self._broken() from error

    async def send_eof(self) -> None:
        """Tell the command that no more bytes come."""
        try:
            self._process.stdin.write_eof()
        except GONE as error:
            raise self._broken() from error

    async def aclose(self) -> None:
        """End the command's pipes; it sees the end of its input."""
        self._closed = True
        self._process.close()
        await anyio.lowlevel.checkpoint()

    def _broken(self) -> Exception:
        return anyio.ClosedResourceError() if self._closed else anyio.BrokenResourceError()

    async def _last_words(self) -> Unreachable:
        """Tell why a command ended before its first byte."""
        words = b""
        with anyio.move_on_after(LAST_WORDS_SECONDS):
            words = await self._stderr()
            await self._process.wait_closed()
        code, text = self._process.returncode, words.decode(errors="replace").strip()
        if code in NOT_FOUND:
            return TakoMissing(
                f"tako is not installed on {self._name}: {text}",
                hint="set it up: `tako servers add`, or `tako deploy` at a terminal",
            )
        if code == SERVER_DOWN:
            return ServerDown(
                f"the server on {self._name} cannot be reached: {text}", hint="run `tako servers restart`"
            )
        if code is None:
            return problems.ended(self._name)
        return Unreachable(f"{self._name} does not answer: {text or f'its command ended with code {code}'}")

    async def _stderr(self) -> bytes:
        try:
            return await self._process.stderr.read(WORDS_LIMIT)
        except GONE:
            return b""


@asynccontextmanager
async def stream_to(session: Session, argv: Sequence[str] = SOCKET_COMMAND) -> AsyncIterator[SshStream]:
    """Open a stream to the management socket of a session's host; several may be open at once."""
    stream = SshStream(await session.open(argv), session.name)
    try:
        yield stream
    finally:
        await anyio.aclose_forcefully(stream)
