"""The line between a computer and a server: it can be slow, it counts what passes, and it can be cut.

    async with Line.to(server.ssh_port) as line:
        ...  # log in on 127.0.0.1:line.port
        line.cut()

A cut line is silent in both directions and tells neither end, like a cable that was pulled; new connections pass.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, SocketAttribute, SocketStream

from tako_modules.base.clock import SystemClock

__all__ = ["Line"]

CHUNK = 16 << 10
GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Line:
    """port: where to connect; rate: bytes a second to the server, 0 as fast as it goes; passed: bytes sent there."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.rate = 0.0
        self.passed = 0
        self._target = target
        self._cuts = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, target: int) -> AsyncIterator["Line"]:
        """Open a line to a port of this machine while the block runs."""
        line = cls(target)
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        line.port = listener.extra(SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, line._carry)
            yield line
            tasks.cancel_scope.cancel()

    def cut(self) -> None:
        """Cut all connections that there are."""
        self._cuts += 1

    async def _carry(self, near: SocketStream) -> None:
        cuts = self._cuts
        async with near:
            with suppress(OSError):
                far = await anyio.connect_tcp("127.0.0.1", self._target)
                async with far, anyio.create_task_group() as tasks:
                    tasks.start_soon(self._pump, near, far, cuts, True)
                    await self._pump(far, near, cuts, False)
                    tasks.cancel_scope.cancel()

    async def _pump(self, source: ByteReceiveStream, target: ByteSendStream, cuts: int, up: bool) -> None:
        clock = SystemClock()
        while True:
            data, end = b"", False
            try:
                data = await source.receive(CHUNK)
            except GONE:
                end = True
            if self._cuts != cuts:
                await anyio.sleep_forever()  # neither a byte nor an end passes
            if end:
                with suppress(*GONE):
                    await target.aclose()
                return
            if up:
                self.passed += len(data)
                await clock.sleep(len(data) / self.rate if self.rate else 0.0)
            with suppress(*GONE):
                await target.send(data)
