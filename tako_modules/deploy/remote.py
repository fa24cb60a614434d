"""A server over SSH: one login, and as many channels to its management socket as are wanted."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tako_modules.base import paths
from tako_modules.mgmt.client import Client, greet
from tako_modules.model.server import Server
from tako_modules.ssh import dial, tunnel
from tako_modules.ssh.login import Access, Login

from .target import Connection

__all__ = ["environment_access", "login_of", "reach_remote"]


@asynccontextmanager
async def reach_remote(server: Server, access: Access | None = None) -> AsyncIterator[Connection]:
    """Log in on a server and greet it; access: without one nobody is asked anything.

    Raises Unreachable: no way there, the login is refused (LoginRefused), no tako (TakoMissing), no server that runs
    (ServerDown). VersionMismatch when it speaks another protocol.
    """
    async with dial.connect(login_of(server), access or environment_access()) as session:

        @asynccontextmanager
        async def another() -> AsyncIterator[Client]:
            async with tunnel.stream_to(session) as stream, await greet(stream, server.name) as client:
                yield client

        async with another() as client:
            yield Connection(client=client, another=another)


def login_of(server: Server, user: str = "") -> Login:
    """Give the address of a server; user: another login than the one for messages."""
    return Login(host=server.host, port=server.port, user=user or server.user, name=server.name)


def environment_access() -> Access:
    """Make what the environment alone gives: keys and known hosts, and nobody who could be asked."""
    return Access(user_folder=Path.home() / ".ssh", accepted=paths.home().known_hosts, environment=dict(os.environ))
