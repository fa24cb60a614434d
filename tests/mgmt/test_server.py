"""The server's side: order, errors, rights, bounds, and peers that leave."""

import socket
from pathlib import Path

import anyio
import msgspec
import pytest

from tako_modules.base.errors import TakoError
from tako_modules.mgmt.connection import Call, Handler, Limits, UploadCut
from tako_modules.mgmt.peer import Peer
from tako_modules.mgmt.refusal import LeaseRefusal, Refusal
from tako_modules.protocol import frames
from tako_modules.protocol.messages import List, Logs, Owner, Request, Status, Upload
from tako_modules.protocol.replies import (
    FailureData,
    LeaseHeld,
    LineEvent,
    ListData,
    SendEvent,
    StoppedData,
    UploadData,
)

from .doors import HELLO, Raw, greet, raw, serving

UPLOAD = b'{"command":"upload","app":"shop","fence":1,"version":"v1","size":6,"sha256":"00"}\n'


async def test_requests_of_one_connection_are_answered_in_order(tmp_path: Path) -> None:
    async def echo(request: Request, call: Call) -> msgspec.Struct:
        assert isinstance(request, Status)
        await anyio.lowlevel.checkpoint()
        return StoppedData(app=request.app)

    async with serving(tmp_path / "s", echo), raw(tmp_path / "s") as peer:
        await peer.stream.send(b"".join(b'{"command":"status","app":"app%d"}\n' % number for number in range(500)))
        got = [await peer.line() for _ in range(500)]
    assert got == [{"status": "ok", "data": {"status": "stopped", "app": f"app{number}"}} for number in range(500)]


async def test_a_request_may_come_byte_by_byte(tmp_path: Path) -> None:
    async with serving(tmp_path / "s"), raw(tmp_path / "s") as peer:
        for byte in HELLO:
            await peer.stream.send(bytes([byte]))
        assert (await peer.line())["status"] == "ok"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        pytest.param(b"hello\n", "invalid", "not JSON", id="no JSON"),
        pytest.param(b"\xff\xfe\n", "invalid", "not JSON", id="no text"),
        pytest.param(b"\n", "invalid", "not JSON", id="empty line"),
        pytest.param(b"[1]\n", "invalid", "object with a command", id="no object"),
        pytest.param(b"{}\n", "invalid", "no command", id="no command"),
        pytest.param(b'{"command":"dance"}\n', "unknown_command", "'dance'", id="unknown command"),
        pytest.param(b'{"command":"metrics"}\n', "comes_later", "0.3", id="command of a later version"),
        pytest.param(b'{"command":"status"}\n', "invalid", "app", id="missing field"),
        pytest.param(b'{"command":"list","x":1}\n', "invalid", "x", id="unknown field"),
        pytest.param(b'{"command":"status","app":7}\n', "invalid", "$.app", id="wrong type"),
    ],
)
async def test_a_bad_line_gets_an_error_and_the_connection_stays(
    tmp_path: Path, line: bytes, code: str, words: str
) -> None:
    async with serving(tmp_path / "s"), raw(tmp_path / "s") as peer:
        answer = await peer.ask(line)
        assert (answer["status"], answer["code"]) == ("error", code)
        assert words in str(answer["message"])
        assert (await peer.ask(HELLO))["status"] == "ok"


async def test_a_line_over_the_limit_is_refused_while_it_is_read(tmp_path: Path) -> None:
    async with serving(tmp_path / "s"), raw(tmp_path / "s") as peer, anyio.create_task_group() as tasks:
        tasks.start_soon(_send_what_goes, peer, b"x" * (4 * frames.LINE_LIMIT))
        answer = await peer.line()
        assert answer["code"] == "invalid"
        assert str(frames.LINE_LIMIT) in str(answer["message"])
        assert await peer.ended()
        tasks.cancel_scope.cancel()


async def _send_what_goes(peer: Raw, data: bytes) -> None:
    try:
        await peer.stream.send(data)
    except anyio.BrokenResourceError:
        return


def _raising(error: Exception) -> Handler:
    async def handler(request: Request, call: Call) -> msgspec.Struct:
        if isinstance(request, List):
            raise error
        return await greet(request, call)

    return handler


HELD = LeaseHeld(owner=Owner(user="ann", host="laptop", pid=7), since=1.0, expires_in=20.0)
ERRORS = [
    pytest.param(TakoError("no", hint="do"), {"code": "failed", "message": "no", "hint": "do"}, id="ours"),
    pytest.param(
        Refusal("probe", code="rolled_back", failure=FailureData(rule="probe", status=500)),
        {"code": "rolled_back", "message": "probe", "failure": {"rule": "probe", "status": 500}},
        id="with the failure's details",
    ),
    pytest.param(
        LeaseRefusal("held", held=HELD),
        {"code": "locked", "message": "held", "held": {"owner": {"user": "ann", "host": "laptop", "pid": 7}}},
        id="with the holder of the lease",
    ),
    pytest.param(
        ExceptionGroup("tasks", [TakoError("inner")]), {"code": "failed", "message": "inner"}, id="in a group"
    ),
    pytest.param(ZeroDivisionError("x"), {"code": "internal"}, id="our bug"),
]


@pytest.mark.parametrize(("error", "expected"), ERRORS)
async def test_a_handlers_error_is_told_and_the_connection_stays(
    tmp_path: Path, error: Exception, expected: dict[str, object], capfd: pytest.CaptureFixture[str]
) -> None:
    async with serving(tmp_path / "s", _raising(error)), raw(tmp_path / "s") as peer:
        answer = await peer.ask(b'{"command":"list"}\n')
        assert answer["status"] == "error"
        _assert_holds(answer, expected)
        assert (await peer.ask(HELLO))["status"] == "ok"
    logged = capfd.readouterr().err
    assert ("Traceback" in logged) is (expected["code"] == "internal")


def _assert_holds(answer: object, expected: object) -> None:
    if not isinstance(expected, dict):
        assert answer == expected
        return
    assert isinstance(answer, dict)
    for key, value in expected.items():
        _assert_holds(answer[key], value)


async def test_an_answer_over_the_limit_becomes_an_error(tmp_path: Path) -> None:
    async def large(request: Request, call: Call) -> msgspec.Struct:
        return StoppedData(app="x" * frames.LINE_LIMIT)

    async with serving(tmp_path / "s", large), raw(tmp_path / "s") as peer:
        assert (await peer.ask(b'{"command":"list"}\n'))["code"] == "too_long"


async def test_a_peer_that_is_not_allowed_is_told_why(tmp_path: Path) -> None:
    seen: list[Peer] = []

    def nobody(peer: Peer) -> str | None:
        seen.append(peer)
        return "not you"

    async with serving(tmp_path / "s", allowed=nobody), raw(tmp_path / "s") as peer:
        answer = await peer.line()
        assert (answer["code"], answer["message"]) == ("denied", "not you")
        assert await peer.ended()
    assert seen[0].uid >= 0


async def test_connections_beyond_the_limit_are_told_so_and_places_come_back(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", limits=Limits(connections=2)), raw(tmp_path / "s") as first:
        assert (await first.ask(HELLO))["status"] == "ok"
        async with raw(tmp_path / "s") as second, raw(tmp_path / "s") as third:
            assert (await second.ask(HELLO))["status"] == "ok"
            assert (await third.line())["code"] == "busy"
        with anyio.fail_after(5):
            while not await _lets_in(tmp_path / "s"):
                pass


async def _lets_in(path: Path) -> bool:
    async with raw(path) as again:
        await _send_what_goes(again, HELLO)
        return (await again.line())["status"] == "ok"


async def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", limits=Limits(idle=0.05)), raw(tmp_path / "s") as peer:
        await peer.stream.send(HELLO[:9])
        assert await peer.ended()


async def test_a_half_closed_peer_still_gets_its_answers(tmp_path: Path) -> None:
    async with serving(tmp_path / "s"), raw(tmp_path / "s") as peer:
        await peer.stream.send(HELLO * 3 + b'{"command":"list"')
        await peer.stream.send_eof()
        assert [(await peer.line())["status"] for _ in range(3)] == ["ok", "ok", "ok"]
        assert await peer.ended()


async def test_a_handler_learns_that_its_peer_has_gone_and_may_go_on(tmp_path: Path) -> None:
    started, finished = anyio.Event(), anyio.Event()

    async def patient(request: Request, call: Call) -> msgspec.Struct:
        await call.event(LineEvent(text="on my way"))
        started.set()
        await call.gone.wait()
        await call.event(LineEvent(text="nobody reads this"))
        finished.set()
        return ListData(apps=())

    async with serving(tmp_path / "s", patient):
        async with raw(tmp_path / "s") as peer:
            assert (await peer.ask(b'{"command":"list"}\n'))["text"] == "on my way"
        with anyio.fail_after(5):
            await finished.wait()
    assert started.is_set()


async def test_the_end_of_a_connection_is_told_between_requests_too(tmp_path: Path) -> None:
    calls: list[Call] = []

    async def remember(request: Request, call: Call) -> msgspec.Struct:
        calls.append(call)
        return await greet(request, call)

    async with serving(tmp_path / "s", remember):
        async with raw(tmp_path / "s") as peer:
            await peer.ask(HELLO)
            assert not calls[0].gone.is_set()
        with anyio.fail_after(5):
            await calls[0].gone.wait()


async def test_a_peer_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    ended = anyio.Event()

    async def endless(request: Request, call: Call) -> msgspec.Struct:
        assert isinstance(request, Logs)
        while not call.gone.is_set():
            await call.event(LineEvent(text="x" * 60_000))
        ended.set()
        return ListData(apps=())

    async with serving(tmp_path / "s", endless, limits=Limits(send=0.1)), raw(tmp_path / "s") as peer:
        await peer.stream.send(b'{"command":"logs","app":"shop","follow":true}\n')
        with anyio.fail_after(10):
            await ended.wait()


async def _receive(request: Request, call: Call) -> msgspec.Struct:
    if not isinstance(request, Upload):
        return await greet(request, call)
    await call.event(SendEvent(offset=0))
    data = b"".join([piece async for piece in call.frames()])
    return UploadData(path=data.decode(), received=len(data))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000], ids=lambda size: f"in pieces of {size}")
async def test_an_upload_and_the_next_request_may_come_cut_anywhere(tmp_path: Path, size: int) -> None:
    data = UPLOAD + frames.encode_frame(b"abc") + frames.encode_frame(b"def") + frames.encode_frame(b"") + HELLO
    async with serving(tmp_path / "s", _receive), raw(tmp_path / "s") as peer:
        for start in range(0, len(data), size):
            await peer.stream.send(data[start : start + size])
        assert await peer.line() == {"event": "send", "offset": 0}
        assert (await peer.line())["data"] == {"path": "abcdef", "known": False, "received": 6}
        assert (await peer.line())["status"] == "ok"


async def test_a_frame_over_the_limit_ends_the_connection_with_a_reason(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", _receive), raw(tmp_path / "s") as peer:
        assert (await peer.ask(UPLOAD))["event"] == "send"
        answer = await peer.ask(b"\xff\xff\xff\xff")
        assert answer["code"] == "invalid"
        assert await peer.ended()


async def test_an_upload_that_a_handler_gives_up_ends_the_connection(tmp_path: Path) -> None:
    async def full(request: Request, call: Call) -> msgspec.Struct:
        await call.event(SendEvent(offset=0))
        raise TakoError("the disk is full")

    async with serving(tmp_path / "s", full), raw(tmp_path / "s") as peer:
        assert (await peer.ask(UPLOAD))["event"] == "send"
        assert (await peer.line())["message"] == "the disk is full"
        assert await peer.ended()


@pytest.mark.parametrize("hang_up", [True, False], ids=["peer leaves", "peer goes silent"])
async def test_a_handler_is_told_that_an_upload_was_cut(tmp_path: Path, hang_up: bool) -> None:
    cut: list[str] = []
    ended = anyio.Event()

    async def keeping(request: Request, call: Call) -> msgspec.Struct:
        try:
            return await _receive(request, call)
        except UploadCut as error:
            cut.append(error.message)
            raise
        finally:
            ended.set()

    async with serving(tmp_path / "s", keeping, limits=Limits(stall=0.05 if not hang_up else 60)):
        async with raw(tmp_path / "s") as peer:
            assert (await peer.ask(UPLOAD + frames.encode_frame(b"abc")))["event"] == "send"
            if not hang_up:
                assert (await peer.line())["code"] == "upload_cut"
        with anyio.fail_after(5):
            await ended.wait()
    assert len(cut) == 1


async def test_the_listener_stays_open_for_its_owner(tmp_path: Path) -> None:
    async with serving(tmp_path / "s"):
        pass
    with socket.socket(socket.AF_UNIX) as late, pytest.raises(ConnectionRefusedError):
        late.connect(str(tmp_path / "s"))
