"""A deploy over scripted servers: the release command, servers that are lost, and what stopping says."""

from pathlib import Path

import anyio
import msgspec
import pytest

from tako_modules.base.errors import Cancelled, Refused, Unreachable
from tako_modules.deploy.gate import ReleaseFailed, ReleaseLost
from tako_modules.deploy.main import verdict
from tako_modules.mgmt.connection import Call
from tako_modules.mgmt.refusal import Refusal
from tako_modules.protocol import messages
from tako_modules.protocol.messages import Request
from tako_modules.protocol.replies import LineEvent, PrepareData, UploadData

from .sites import Site, deploy_to, lost, packed


async def test_the_release_command_runs_on_one_server_before_traffic_moves_anywhere(tmp_path: Path) -> None:
    la, nyc = Site("la"), Site("nyc")
    async with deploy_to(tmp_path, [la, nyc], release="migrate") as deploy:
        done = await deploy.run()
    assert verdict(done) is None
    assert len(la.got(messages.RunRelease) + nyc.got(messages.RunRelease)) == 1
    assert len(la.got(messages.Deploy)) == len(nyc.got(messages.Deploy)) == 1


async def test_one_server_lost_in_the_release_command_says_that_it_may_have_run(tmp_path: Path) -> None:
    la = Site("la")
    la.answers[messages.RunRelease] = lost(la)
    async with deploy_to(tmp_path, [la], release="migrate") as deploy:
        done = await deploy.run()
    error = verdict(done)
    assert isinstance(error, ReleaseLost)
    assert "la was lost while it ran the release command; it may have run" in error.message
    assert error.exit_code == 4


async def test_of_several_servers_the_lost_one_stops_all_and_decides_the_exit_code(tmp_path: Path) -> None:
    la, full = Site("la"), Site("full")
    la.answers[messages.RunRelease] = lost(la)

    async def no_room(request: Request, call: Call) -> msgspec.Struct:
        raise Refused("the disk is full", code="disk_full")

    full.answers[messages.Upload] = no_room
    async with deploy_to(tmp_path, [la, full], release="migrate") as deploy:
        done = await deploy.run()
    error = verdict(done)
    assert isinstance(error, ReleaseLost)
    assert error.exit_code == 4
    assert full.got(messages.Deploy) == []


async def test_a_release_command_that_the_server_ends_stops_all_with_its_last_lines(tmp_path: Path) -> None:
    la, nyc = Site("la"), Site("nyc")

    async def endless(request: Request, call: Call) -> msgspec.Struct:
        await call.event(LineEvent(text="step 1 of many"))
        raise Refused("/bin/sh did not end within 600 s and was stopped")

    la.answers[messages.RunRelease] = nyc.answers[messages.RunRelease] = endless
    async with deploy_to(tmp_path, [la, nyc], release="migrate") as deploy:
        done = await deploy.run()
    error = verdict(done)
    assert error is not None
    assert error.exit_code == 1
    told = [one.error for one in done if isinstance(one.error, Refusal)]
    assert len(told) == 1
    assert "did not end within 600 s" in told[0].message
    assert told[0].failure is not None
    assert told[0].failure.log == ("step 1 of many",)
    assert [type(one.error) for one in done if one.error is not told[0]] == [ReleaseFailed]
    assert la.got(messages.Deploy) == nyc.got(messages.Deploy) == []


@pytest.mark.parametrize(
    ("during", "words"),
    [
        (messages.Prepare, "cancelled before anything was changed"),
        (messages.RunRelease, "cancelled before traffic moved; the release command had begun and may have run"),
    ],
    ids=["before the release command", "while it runs"],
)
async def test_stopping_says_whether_the_release_command_may_have_run(during: type, words: str, tmp_path: Path) -> None:
    la = Site("la")
    begun = anyio.Event()

    async def endless(request: Request, call: Call) -> msgspec.Struct:
        begun.set()
        await anyio.sleep_forever()
        raise AssertionError

    la.answers[during] = endless
    async with deploy_to(tmp_path, [la], release="migrate") as deploy, anyio.create_task_group() as tasks:

        async def stop() -> None:
            await begun.wait()
            await deploy.stop()

        tasks.start_soon(stop)
        done = await deploy.run()
    error = verdict(done)
    assert isinstance(error, Cancelled)
    assert error.message.startswith(words)


@pytest.mark.parametrize("kind", [messages.Prepare, messages.Deploy])
async def test_a_server_lost_elsewhere_is_unreachable(kind: type, tmp_path: Path) -> None:
    la = Site("la")
    la.answers[kind] = lost(la)
    async with deploy_to(tmp_path, [la], release="migrate") as deploy:
        done = await deploy.run()
    error = verdict(done)
    assert isinstance(error, Unreachable)
    assert not isinstance(error, ReleaseLost)


@pytest.mark.parametrize("refuses", [messages.Upload, messages.Prepare], ids=["other files", "another recipe"])
async def test_another_build_of_the_same_commit_gets_a_name_of_its_own(refuses: type, tmp_path: Path) -> None:
    la = Site("la")

    async def known(request: Request, call: Call) -> msgspec.Struct:
        assert isinstance(request, messages.Upload | messages.Prepare)
        if request.version == "abc1234" and type(request) is refuses:
            raise Refused("abc1234 is on this server already, with other files", code="conflict")
        reply = UploadData if isinstance(request, messages.Upload) else PrepareData
        return reply(path=f"/data/{request.version}", known=True)

    la.answers[messages.Upload] = la.answers[messages.Prepare] = known
    async with deploy_to(
        tmp_path, [la], release="migrate", artifact=packed(tmp_path, "abc1234", other_name="abc1234_00000001")
    ) as deploy:
        done = await deploy.run()
    assert verdict(done) is None
    [*_, prepared] = la.got(messages.Prepare)
    [ran], [deployed] = la.got(messages.RunRelease), la.got(messages.Deploy)
    assert isinstance(prepared, messages.Prepare)
    assert isinstance(ran, messages.RunRelease)
    assert isinstance(deployed, messages.Deploy)
    assert {prepared.version, ran.version, deployed.version} == {"abc1234_00000001"}
    assert deployed.path == "/data/abc1234_00000001"


async def test_what_a_server_was_spared_is_told_only_where_it_was_asked(tmp_path: Path) -> None:
    la, full = Site("la"), Site("full")

    async def no_room(request: Request, call: Call) -> msgspec.Struct:
        raise Refused("the disk is full", code="disk_full")

    full.answers[messages.ServerInfo] = no_room
    async with deploy_to(tmp_path, [la, full]) as deploy:
        done = await deploy.run()
    assert [one.saved for one in done] == [6, 0]
