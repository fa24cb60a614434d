"""Real answers over loopback, also those that are none."""

import contextlib
import socket
from collections.abc import AsyncIterator

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from tako_modules.supervisor import probe


@contextlib.asynccontextmanager
async def app(*parts: bytes, stay: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer each connection with these bytes; `stay`: do not close. Gives the port and the requests."""
    requests: list[bytes] = []
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

    async def answer(stream: SocketStream) -> None:
        with contextlib.suppress(anyio.BrokenResourceError):
            async with stream:
                requests.append(await stream.receive())
                for part in parts:
                    await stream.send(part)
                await anyio.sleep(60 if stay else 0)

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        yield int(listener.extra(SocketAttribute.local_port)), requests
        tasks.cancel_scope.cancel()


async def test_one_plain_get_is_sent() -> None:
    async with app(b"HTTP/1.1 204 No Content\r\n\r\n") as (port, requests):
        seen = await probe.get(port, "shop.example.com", "/up?deep=1")
    assert seen.status == 204
    assert seen.url == f"http://127.0.0.1:{port}/up?deep=1"
    assert b"".join(requests) == (
        b"GET /up?deep=1 HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: tako-probe\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("parts", "status", "body"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more",), 200, "hello"),
        ((b"HTTP/1.0 200 OK\r\n\r\nuntil the end",), 200, "until the end"),
        ((b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",), 200, "ok"),
        ((b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",), 200, "ok"),
        (
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", b"2;x=y\r\nde\r\n0\r\n\r\n"),
            200,
            "abcde",
        ),
        ((b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\n!",), 500, "!"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x" * 99999), 200, "x" * 4096),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",), 200, "short"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe",), 200, "��"),
    ],
    ids=["length", "close", "no reason", "bare newlines", "chunked", "interim", "too long", "cut", "no text"],
)
async def test_answers(parts: tuple[bytes, ...], status: int, body: str) -> None:
    async with app(*parts) as (port, _):
        seen = await probe.get(port, "a.example.com", "/")
    assert (seen.status, seen.body, seen.error) == (status, body, "")


async def test_any_chunking_gives_the_same() -> None:
    whole = b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 3\r\n\r\nbye"
    async with app(*(whole[at : at + 1] for at in range(len(whole)))) as (port, _):
        seen = await probe.get(port, "a.example.com", "/")
    assert (seen.status, seen.location, seen.body) == (302, "/login", "bye")
    assert seen.words.endswith("answered 302, Location /login")


async def test_a_kept_connection_is_not_waited_for() -> None:
    async with app(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", stay=True) as (port, _):
        with anyio.fail_after(0.4):
            seen = await probe.get(port, "a.example.com", "/")
    assert seen.status == 200


async def test_a_stream_of_events_has_a_status() -> None:
    async with app(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n", stay=True) as (port, _):
        seen = await probe.get(port, "a.example.com", "/")
    assert (seen.status, seen.body) == (200, "data: 1\n\n")


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ((b"SSH-2.0-OpenSSH_9.2\r\n\r\n",), "no HTTP response but b'SSH-2.0-OpenSSH_9.2"),
        ((), "closed without an answer"),
        ((b"HTTP/1.1 200 OK\r\nX: ", b"y" * 70000), "no HTTP response"),
        ((b"HTTP/2 200\r\n\r\n",), "no HTTP response"),
    ],
    ids=["another protocol", "nothing", "endless head", "another version"],
)
async def test_what_is_no_answer_is_said(parts: tuple[bytes, ...], error: str) -> None:
    async with app(*parts) as (port, _):
        seen = await probe.get(port, "a.example.com", "/")
    assert seen.status == 0
    assert seen.error.startswith(error)


async def test_silence_takes_no_longer_than_its_time() -> None:
    async with app(stay=True) as (port, _):
        seen = await probe.get(port, "a.example.com", "/", timeout=0.1)
    assert seen.error == "no answer within 0.1 s"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_nobody_listens() -> None:
    port = _free_port()
    assert (await probe.get(port, "a.example.com", "/")).error == "connection refused"
    assert await probe.connects(port) == "connection refused"


async def test_a_connection_is_all_that_liveness_needs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert await probe.connects(listener.getsockname()[1]) == ""
