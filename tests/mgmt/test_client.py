"""The client's side: answers, events, errors with their exit codes, uploads, and servers that leave."""

import hashlib
from pathlib import Path

import anyio
import msgspec
import pytest

from tako_modules.base.errors import Locked, Refused, TakoError, Unreachable
from tako_modules.mgmt import client
from tako_modules.mgmt.client import Client, Event, VersionMismatch
from tako_modules.mgmt.connection import Call, Handler
from tako_modules.mgmt.refusal import LeaseRefusal, Refusal
from tako_modules.mgmt.unix_stream import connect
from tako_modules.protocol.messages import Hello, List, Owner, Request, Status, Upload
from tako_modules.protocol.replies import (
    FailureData,
    HelloData,
    LeaseHeld,
    LineEvent,
    ListData,
    SendEvent,
    StepEvent,
    StoppedData,
    UploadData,
)

from .doors import greet, serving


def answering(answer: Handler) -> Handler:
    """Answer hello as always and everything else by `answer`."""

    async def handler(request: Request, call: Call) -> msgspec.Struct:
        if isinstance(request, Hello):
            return await greet(request, call)
        return await answer(request, call)

    return handler


async def test_a_call_gives_its_answer_and_hands_events_on(tmp_path: Path) -> None:
    async def stepping(request: Request, call: Call) -> msgspec.Struct:
        await call.event(StepEvent(text="one", version="v1"))
        await call.event(LineEvent(text="two"))
        return ListData(apps=())

    events: list[Event] = []
    async with serving(tmp_path / "s", answering(stepping)), await client.connect_unix(tmp_path / "s") as door:
        assert door.server == HelloData(protocol_version=3, server_version="0.1.0")
        assert await door.call(List(), ListData, events.append) == ListData(apps=())
        assert await door.call(List(), ListData) == ListData(apps=())
    assert events == [StepEvent(text="one", version="v1"), LineEvent(text="two")]


async def test_a_refusal_is_raised_with_everything_the_server_said(tmp_path: Path) -> None:
    details = FailureData(rule="probe", status=500, log=("boom",))

    async def failing(request: Request, call: Call) -> msgspec.Struct:
        raise Refusal("it did not start", code="rolled_back", hint="look", failure=details)

    async with serving(tmp_path / "s", answering(failing)), await client.connect_unix(tmp_path / "s") as door:
        for _ in range(2):
            with pytest.raises(Refused) as caught:
                await door.call(List(), ListData)
            error = caught.value
            assert isinstance(error, Refusal)
            assert (error.message, error.code, error.hint) == ("it did not start", "rolled_back", "look")
            assert (error.failure, error.exit_code) == (details, 1)


@pytest.mark.parametrize("code", ["locked", "lease_lost"])
async def test_the_leases_refusals_exit_with_their_own_code(tmp_path: Path, code: str) -> None:
    held = LeaseHeld(owner=Owner(user="ann", host="laptop", pid=7), since=1.0, expires_in=20.0)

    async def failing(request: Request, call: Call) -> msgspec.Struct:
        raise LeaseRefusal("held", code=code, held=held)

    async with serving(tmp_path / "s", answering(failing)), await client.connect_unix(tmp_path / "s") as door:
        with pytest.raises(Locked) as caught:
            await door.call(List(), ListData)
    assert isinstance(caught.value, LeaseRefusal)
    assert (caught.value.held, caught.value.exit_code, caught.value.code) == (held, 3, code)


@pytest.mark.parametrize(
    ("protocol", "hint"), [(2, "tako servers add"), (9, "as new as the server")], ids=["older", "newer"]
)
async def test_another_protocol_is_named_with_both_versions(tmp_path: Path, protocol: int, hint: str) -> None:
    async def strange(request: Request, call: Call) -> msgspec.Struct:
        return HelloData(protocol_version=protocol, server_version="7.7")

    async with serving(tmp_path / "s", strange):
        with pytest.raises(VersionMismatch) as caught:
            await client.connect_unix(tmp_path / "s")
    assert "7.7" in caught.value.message
    assert f"protocol {protocol}" in caught.value.message
    assert "protocol 3" in caught.value.message
    assert hint in caught.value.hint


async def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path / ("x" * 200)):
        with pytest.raises(Unreachable, match=path.name[:20]):
            await client.connect_unix(path)


async def test_a_peer_that_is_denied_learns_the_reason(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", allowed=lambda peer: "not you"):
        with pytest.raises(Refused, match="not you"):
            await client.connect_unix(tmp_path / "s")


async def test_a_connection_that_ends_is_unreachable_from_then_on(tmp_path: Path) -> None:
    async def leaving(request: Request, call: Call) -> msgspec.Struct:
        await anyio.sleep_forever()
        raise AssertionError

    async with serving(tmp_path / "s", answering(leaving)):
        door = await client.connect_unix(tmp_path / "s", "la")
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(Unreachable, match="la ended"):
                    await door.call(List(), ListData)

            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            await door.aclose()
        with pytest.raises(Unreachable):
            await door.call(List(), ListData)


async def test_a_call_that_was_cancelled_leaves_no_wrong_answer_to_the_next(tmp_path: Path) -> None:
    async def slow(request: Request, call: Call) -> msgspec.Struct:
        await anyio.sleep(0.05)
        return StoppedData(app="late")

    async with serving(tmp_path / "s", answering(slow)), await client.connect_unix(tmp_path / "s") as door:
        with anyio.move_on_after(0.01):
            await door.call(Status(app="first"), StoppedData)
        with pytest.raises(Unreachable):
            await door.call(Status(app="second"), StoppedData)


async def test_calls_of_several_tasks_get_their_own_answers(tmp_path: Path) -> None:
    async def echo(request: Request, call: Call) -> msgspec.Struct:
        assert isinstance(request, Status)
        return StoppedData(app=request.app)

    got: list[tuple[str, str]] = []
    async with serving(tmp_path / "s", answering(echo)), await client.connect_unix(tmp_path / "s") as door:

        async def ask(app: str) -> None:
            got.append((app, (await door.call(Status(app=app), StoppedData)).app))

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ask, f"app{number}")
    assert len(got) == 20
    assert all(asked == answered for asked, answered in got)


async def test_an_answer_of_another_shape_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    async def other(request: Request, call: Call) -> msgspec.Struct:
        return StoppedData(app="x")

    async with serving(tmp_path / "s", answering(other)), await client.connect_unix(tmp_path / "s") as door:
        with pytest.raises(TakoError, match="not what was asked for"):
            await door.call(List(), ListData)


def _artifact(path: Path, size: int) -> Upload:
    data = bytes(number % 251 for number in range(size))
    path.write_bytes(data)
    return Upload(app="shop", fence=1, version="v1", size=size, sha256=hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("offset", [0, 5, 999_999, 1_000_000], ids=lambda offset: f"from {offset}")
async def test_an_upload_sends_from_the_offset_that_the_server_wants(tmp_path: Path, offset: int) -> None:
    request = _artifact(tmp_path / "a.tar.gz", 1_000_000)
    got = bytearray()

    async def receive(asked: Request, call: Call) -> msgspec.Struct:
        await call.event(SendEvent(offset=offset))
        async for piece in call.frames():
            got.extend(piece)
        return UploadData(path="/releases/v1", received=len(got))

    sent: list[int] = []
    async with serving(tmp_path / "s", answering(receive)), await client.connect_unix(tmp_path / "s") as door:
        for _ in range(2):
            got.clear()
            answer = await door.upload(request, tmp_path / "a.tar.gz", sent.append)
            assert answer == UploadData(path="/releases/v1", received=1_000_000 - offset)
            assert bytes(got) == (tmp_path / "a.tar.gz").read_bytes()[offset:]
    assert sent[-1:] == ([1_000_000] if offset < 1_000_000 else [])


async def test_a_release_that_is_known_sends_nothing(tmp_path: Path) -> None:
    async def known(asked: Request, call: Call) -> msgspec.Struct:
        return UploadData(path="/releases/v1", known=True)

    request = _artifact(tmp_path / "a.tar.gz", 10)
    async with serving(tmp_path / "s", answering(known)), await client.connect_unix(tmp_path / "s") as door:
        assert (await door.upload(request, tmp_path / "a.tar.gz")).known


async def test_a_server_that_gives_up_in_the_middle_is_heard(tmp_path: Path) -> None:
    async def full(asked: Request, call: Call) -> msgspec.Struct:
        await call.event(SendEvent(offset=0))
        async for _ in call.frames():
            raise TakoError("the disk is full")
        raise AssertionError

    request = _artifact(tmp_path / "a.tar.gz", 8_000_000)
    async with serving(tmp_path / "s", answering(full)), await client.connect_unix(tmp_path / "s") as door:
        with pytest.raises(Refused, match="the disk is full"):
            await door.upload(request, tmp_path / "a.tar.gz")
        with pytest.raises(Unreachable):
            await door.call(List(), ListData)


@pytest.mark.parametrize(
    ("offset", "size", "words"),
    [
        pytest.param(0, 2_000_000, "became shorter", id="file is shorter"),
        pytest.param(2_000_001, 2_000_000, "asks for byte", id="offset beyond the end"),
    ],
)
async def test_a_file_that_cannot_be_sent_is_named(tmp_path: Path, offset: int, size: int, words: str) -> None:
    request = msgspec.structs.replace(_artifact(tmp_path / "a.tar.gz", 1_000_000), size=size)

    async def receive(asked: Request, call: Call) -> msgspec.Struct:
        await call.event(SendEvent(offset=offset))
        return UploadData(path="".join([str(len(piece)) async for piece in call.frames()]))

    async with serving(tmp_path / "s", answering(receive)), await client.connect_unix(tmp_path / "s") as door:
        with pytest.raises(TakoError, match=words):
            await door.upload(request, tmp_path / "a.tar.gz")


async def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    request = _artifact(tmp_path / "a.tar.gz", 10)
    (tmp_path / "a.tar.gz").unlink()

    async def receive(asked: Request, call: Call) -> msgspec.Struct:
        await call.event(SendEvent(offset=0))
        return UploadData(path="".join([str(len(piece)) async for piece in call.frames()]))

    async with serving(tmp_path / "s", answering(receive)), await client.connect_unix(tmp_path / "s") as door:
        with pytest.raises(TakoError, match=r"cannot read .*a\.tar\.gz"):
            await door.upload(request, tmp_path / "a.tar.gz")


async def test_a_client_works_over_any_byte_stream(tmp_path: Path) -> None:
    async with serving(tmp_path / "s"), await client.greet(await connect(tmp_path / "s"), "la") as door:
        assert isinstance(door, Client)
        assert door.server is not None
