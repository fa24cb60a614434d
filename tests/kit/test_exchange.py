"""The client calls failed what a user would, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from .exchange import Connection, Failure, Target

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@asynccontextmanager
async def scripted(answers: Sequence[bytes], *, reset: bool = False) -> AsyncIterator[Target]:
    """Serve: each connection's requests get the answers in turn, then the connection ends."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        if reset:
            writer.transport.abort()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Target(port=server.sockets[0].getsockname()[1], host="a.test")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(b"", "reset", id="no byte"),
        pytest.param(OK[:20], "short", id="half a head"),
        pytest.param(OK[:-1], "short", id="half a body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "short", id="no last chunk"),
        pytest.param(b"SSH-2.0-x\r\n\r\n", "malformed", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed", id="no chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "malformed", id="no length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n", "malformed", id="a head without end"),
    ],
)
async def test_failures(answer: bytes, kind: str) -> None:
    """Each way to break an answer has its kind."""
    async with scripted([answer]) as target:
        connection = await Connection.open(target)
        with pytest.raises(Failure) as caught:
            await connection.request("GET", "/")
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param(OK, b"ok", id="by length"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"ok", id="after early hints"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\no\r\n1\r\nk\r\n0\r\nT: 1\r\n\r\n",
            b"ok",
            id="chunks",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end", id="until the end"),
    ],
)
async def test_bodies(answer: bytes, body: bytes) -> None:
    """Every framing of a response is read whole."""
    async with scripted([answer]) as target:
        connection = await Connection.open(target)
        assert (await connection.request("GET", "/")).body == body
        connection.close()


async def test_announced_close_is_no_failure() -> None:
    """`Connection: close` makes the connection unusable before the end has arrived."""
    async with scripted([CLOSE]) as target:
        connection = await Connection.open(target)
        await connection.request("GET", "/")
        assert not connection.usable
        connection.close()


async def test_end_between_requests_is_seen() -> None:
    """An idle connection that the server closed is not used again."""
    async with scripted([OK]) as target:
        connection = await Connection.open(target)
        await connection.request("GET", "/")
        assert await connection.reader.read() == b""
        assert not connection.usable
        connection.close()


@pytest.mark.parametrize("reset", [False, True])
async def test_end_after_the_request_fails_on_a_reused_connection(reset: bool) -> None:
    """Nothing had announced it, so the request is lost."""
    async with scripted([OK, b""], reset=reset) as target:
        connection = await Connection.open(target)
        await connection.request("GET", "/")
        assert connection.usable
        with pytest.raises(Failure, match="a connection with 1 answers") as caught:
            await connection.request("GET", "/")
    assert caught.value.kind == "reset"


async def test_nobody_listens() -> None:
    """A closed port refuses."""
    async with scripted([OK]) as target:
        pass
    with pytest.raises(Failure) as caught:
        await Connection.open(target)
    assert caught.value.kind == "refused"
