"""A state that cannot be read: everybody who asks hears why, and what runs is let run."""

import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tako_modules.base.clock import SystemClock
from tako_modules.base.errors import Refused
from tako_modules.base.paths import ServerPaths
from tako_modules.mgmt.client import connect_unix
from tako_modules.mgmt.peer import Peer
from tako_modules.server.excuse import excuse
from tako_modules.server.host import Host
from tako_modules.server.link import Link
from tako_modules.store.db import StoreBroken

PROBLEM = StoreBroken("the file is damaged", hint="put a backup there")


def everybody(peer: Peer) -> str | None:
    return None


class Init:
    """Init as the excused control meets it."""

    def __init__(self, folder: Path) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.theirs = theirs
        self.path = folder / "s"
        self.management = socket.socket(socket.AF_UNIX)
        self.management.bind(str(self.path))
        self.management.listen()

    def tell(self, event: dict[str, object], *descriptors: int) -> None:
        socket.send_fds(self.channel, [json.dumps(event).encode()], descriptors)

    async def asked(self) -> str:
        """Wait for what control asks."""
        await anyio.wait_readable(self.channel)
        return str(json.loads(self.channel.recv(1 << 17))["op"])


@asynccontextmanager
async def excused(folder: Path) -> AsyncIterator[Init]:
    """Run a control that can only excuse itself."""
    init, host = Init(folder), Host(ServerPaths(folder), rootless=True)
    with init.channel, init.theirs, init.management:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(excuse, PROBLEM, Link(init.theirs), host, SystemClock(), everybody)
            init.tell({"event": "hello", "pid": 1}, init.management.fileno())
            with anyio.fail_after(5):
                assert await init.asked() == "status"
                yield init
            tasks.cancel_scope.cancel()


async def test_every_request_is_answered_with_the_reason(tmp_path: Path) -> None:
    async with excused(tmp_path) as init:
        with pytest.raises(Refused, match="is damaged") as refused:
            await connect_unix(init.path)
    assert (refused.value.code, refused.value.hint) == ("store_broken", "put a backup there")


async def test_output_is_kept_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "logs" / "shop").mkdir(parents=True)
    reader, writer = os.pipe()
    async with excused(tmp_path) as init:
        init.tell({"event": "child", "kind": "instance", "id": "shop/3", "pid": 7, "start": 8}, reader)
        os.write(writer, b"still here\n")
        log = tmp_path / "logs" / "shop" / "web-3.log"
        while not log.exists() or log.read_bytes() != b"still here\n":
            await SystemClock().sleep(0.01)
    os.close(writer)
    os.close(reader)


async def test_a_stop_is_not_held_up(tmp_path: Path) -> None:
    async with excused(tmp_path) as init:
        init.tell({"event": "stop", "seconds": 60})
        assert await init.asked() == "stopped"
