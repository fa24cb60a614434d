"""The release command: once, on one server, before any traffic moves anywhere."""

import anyio
import pytest

from tako_modules.base.errors import TakoError, Unreachable
from tako_modules.deploy.gate import Gate, ReleaseFailed


async def test_without_a_command_nobody_waits() -> None:
    assert await Gate("").mine("la") is False


async def test_the_first_server_that_passed_preflight_runs_it_and_the_others_wait() -> None:
    gate = Gate("migrate")
    gate.claim("nyc")
    gate.claim("la")
    ran: list[tuple[str, bool]] = []

    async def server(name: str) -> None:
        ran.append((name, await gate.mine(name)))
        if ran[-1][1]:
            gate.begin()
            gate.open()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server, "la")
        tasks.start_soon(server, "nyc")
    assert sorted(ran) == [("la", False), ("nyc", True)]


async def test_its_failure_stops_everybody() -> None:
    gate = Gate("migrate")
    assert await gate.mine("la") is True
    gate.begin()
    gate.shut(ReleaseFailed("exit code 3"))
    with pytest.raises(ReleaseFailed, match="exit code 3"):
        await gate.mine("nyc")


async def test_a_server_that_fails_before_running_it_leaves_it_to_the_next() -> None:
    gate = Gate("migrate")
    gate.claim("la")
    taken: list[bool] = []

    async def next_server() -> None:
        taken.append(await gate.mine("nyc"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(next_server)
        await anyio.lowlevel.checkpoint()
        gate.leave("la")
    assert taken == [True]


async def test_a_server_lost_while_it_ran_stops_the_others_for_it_may_have_run() -> None:
    gate = Gate("migrate")
    assert await gate.mine("la") is True
    gate.begin()
    gate.leave("la")
    with pytest.raises(Unreachable, match="may have run") as lost:
        await gate.mine("nyc")
    assert lost.value.exit_code == 4


async def test_a_server_that_fails_after_it_ran_changes_nothing() -> None:
    gate = Gate("migrate")
    assert await gate.mine("la") is True
    gate.begin()
    gate.open()
    gate.leave("la")
    assert await gate.mine("nyc") is False


def test_its_failure_is_an_ordinary_one() -> None:
    assert issubclass(ReleaseFailed, TakoError)
    assert ReleaseFailed("x").exit_code == 1


async def test_waiting_for_an_upload_elsewhere_is_no_waiting_for_the_command() -> None:
    gate = Gate("migrate")
    gate.claim("la")
    ran: list[bool] = []

    async def other() -> None:
        ran.append(await gate.mine("nyc"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        await anyio.lowlevel.checkpoint()
        gate.begin()  # whoever waits begins to count anew
        await anyio.lowlevel.checkpoint()
        gate.open()
    assert ran == [False]
