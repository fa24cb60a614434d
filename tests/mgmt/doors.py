"""A server on a real Unix socket, and raw connections to it."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from tako_modules.mgmt import server
from tako_modules.mgmt.connection import Call, Handler, Limits
from tako_modules.mgmt.peer import Peer
from tako_modules.mgmt.unix_stream import UnixStream, connect
from tako_modules.protocol.messages import Hello, Request
from tako_modules.protocol.replies import HelloData

HELLO = b'{"command":"hello","protocol_version":3}\n'


async def greet(request: Request, call: Call) -> msgspec.Struct:
    """Answer hello, as every server does."""
    assert isinstance(request, Hello)
    return HelloData(protocol_version=3, server_version="0.1.0")


def everybody(peer: Peer) -> str | None:
    """Let every peer in."""
    return None


@asynccontextmanager
async def serving(
    path: Path,
    handler: Handler = greet,
    *,
    allowed: Callable[[Peer], str | None] = everybody,
    limits: Limits = server.LIMITS,
) -> AsyncIterator[None]:
    """Serve on `path` while the block runs."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        async with anyio.create_task_group() as tasks:

            async def serve(*, task_status: anyio.abc.TaskStatus[None]) -> None:
                await server.serve(listener, handler, allowed=allowed, limits=limits, task_status=task_status)

            await tasks.start(serve)
            yield
            tasks.cancel_scope.cancel()


class Raw:
    """A connection that says exactly what a test wants."""

    def __init__(self, stream: UnixStream) -> None:
        self.stream = stream
        self._held = b""

    async def ask(self, data: bytes) -> dict[str, object]:
        """Send bytes and read one line."""
        await self.stream.send(data)
        return await self.line()

    async def line(self) -> dict[str, object]:
        """Read one line as its object."""
        while b"\n" not in self._held:
            self._held += await self.stream.receive()
        line, _, self._held = self._held.partition(b"\n")
        return msgspec.json.decode(line, type=dict[str, object])

    async def ended(self) -> bool:
        """Tell whether the server closes without a further word."""
        try:
            self._held += await self.stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return not self._held
        return False


@asynccontextmanager
async def raw(path: Path) -> AsyncIterator[Raw]:
    """Connect without a client."""
    async with await connect(path) as stream:
        yield Raw(stream)
