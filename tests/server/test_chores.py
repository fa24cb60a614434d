"""One-shot programs: their lines, their end, and what happens where one of them does not come."""

import json
import os
import socket
from collections.abc import Iterator

import anyio
import pytest

from tako_modules.base.errors import TakoError
from tako_modules.server.chores import Chores
from tako_modules.server.link import Child, Link
from tako_modules.supervisor.spawn import SpawnRequest

REQUEST = SpawnRequest(id="chore/1", kind="task", argv=("true",), env={}, cwd="/")
CHILD = Child(kind="task", id="chore/1", pid=7, start=8)


class Bench:
    """Chores whose init the test plays."""

    def __init__(self, patience: float) -> None:
        ours, self.init = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.init.setblocking(False)
        self._ours = ours
        self.chores = Chores(Link(ours), patience)
        self.said: list[str] = []

    async def run(self, seconds: float = 5.0) -> int:
        async def keep(line: str) -> None:
            self.said.append(line)

        return await self.chores.run(REQUEST, keep, seconds=seconds)

    async def asked(self) -> str:
        await anyio.wait_readable(self.init)
        return str(json.loads(self.init.recv(1 << 17))["op"])

    def close(self) -> None:
        self.init.close()
        self._ours.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(patience=0.05)
    yield made
    made.close()


async def test_a_program_that_ended_is_not_waited_for_because_of_what_it_left_behind(bench: Bench) -> None:
    reader, writer = os.pipe()
    codes: list[int] = []

    async def run() -> None:
        codes.append(await bench.run(seconds=30.0))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            assert await bench.asked() == "spawn"
            bench.chores.spawned(CHILD, reader)
            os.write(writer, b"done\n")
            bench.chores.exited(CHILD, 0)  # and `writer` stays open, as a daemon's would
    os.close(writer)
    assert (codes, bench.said) == ([0], ["done"])


async def test_an_init_that_does_not_answer_is_an_error_of_this_program_alone(bench: Bench) -> None:
    with pytest.raises(TakoError, match="could not be started within"):
        await bench.run()


async def test_a_program_that_comes_too_late_is_ended(bench: Bench) -> None:
    with pytest.raises(TakoError):
        await bench.run()
    assert await bench.asked() == "spawn"
    reader, writer = os.pipe()
    bench.chores.spawned(CHILD, reader)
    os.close(writer)
    assert await bench.asked() == "kill"
