"""How a server is reached: the built-in one through its socket, any other through SSH."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tako_modules.base.clock import Clock
from tako_modules.mgmt.client import Client, connect_unix
from tako_modules.model.server import LOCAL, Server

from . import local
from .target import Connection

__all__ = ["reach_local"]


@asynccontextmanager
async def reach_local(server: Server, clock: Clock, say: Callable[[str], None]) -> AsyncIterator[Connection]:
    """Connect to the built-in server, started first when it does not run."""
    path = await local.ensure(clock, say)

    @asynccontextmanager
    async def another() -> AsyncIterator[Client]:
        async with await connect_unix(path, LOCAL) as client:
            yield client

    async with another() as client:
        yield Connection(client=client, another=another)
