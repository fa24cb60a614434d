"""The program that serves a site, over real sockets."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteReceiveStream

from tako_modules.runtimes import files_app
from tako_modules.runtimes.files_app import Site

ROOT = Path(__file__).resolve().parents[2]
LARGE = os.urandom(3_000_001)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<h1>home</h1>")
    (tmp_path / "large.bin").write_bytes(LARGE)
    return tmp_path


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[int, asyncio.Event]]:
    stop, ports = asyncio.Event(), anyio.create_memory_object_stream[int](1)
    async with anyio.create_task_group() as tasks, ports[0], ports[1]:
        tasks.start_soon(Site(folder).serve, "127.0.0.1", 0, stop, ports[0].send_nowait)
        yield await ports[1].receive(), stop
        stop.set()


async def read_all(stream: ByteReceiveStream) -> bytes:
    data = b""
    with anyio.fail_after(5), suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while True:
            data += await stream.receive()
    return data


async def talk(port: int, request: bytes) -> bytes:
    """Send everything, then read to the end."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(request)
        return await read_all(stream)


GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
END = b"Connection: close\r\n\r\n"


async def test_requests_follow_on_one_connection(folder: Path) -> None:
    async with serving(folder) as (port, _):
        data = await talk(port, GET + b"\r\n" + b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + GET + END)
    first, second, third = data.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert first.endswith(b"\r\n\r\n<h1>home</h1>")
    assert second.endswith(b"\r\n\r\n")
    assert b"Content-Length: 13" in second
    assert b"Connection: close" not in first + second
    assert b"Connection: close" in third


async def test_a_large_file_arrives_whole(folder: Path) -> None:
    async with serving(folder) as (port, _):
        data = await talk(port, b"GET /large.bin HTTP/1.1\r\nHost: a\r\n" + END)
        assert data.partition(b"\r\n\r\n")[2] == LARGE
        part = await talk(port, b"GET /large.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=1000000-2000000\r\n" + END)
        assert part.partition(b"\r\n\r\n")[2] == LARGE[1000000:2000001]


ENDING = {
    "http/1.0": (b"GET / HTTP/1.0\r\n\r\n", b"200"),
    "absolute form": (b"GET http://other/ HTTP/1.1\r\nHost: a\r\n" + END, b"200"),
    "empty line first": (b"\r\n" + GET + END, b"200"),
    "body": (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", b"200"),
    "two lengths": (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 0\r\n\r\nGET", b"200"),
    "chunked body": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"405"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", b"400"),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
    "http/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"505"),
    "words": (b"hello\r\n\r\n", b"400"),
    "bytes": (b"\x16\x03\x01\x02\r\n\r\n", b"400"),
    "folded header": (b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", b"400"),
    "space before colon": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b"400"),
    "bare line feed": (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", b"400"),
    "space in the target": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
    "huge head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
}


@pytest.mark.parametrize(("request_bytes", "status"), ENDING.values(), ids=ENDING.keys())
async def test_a_strange_request_ends_the_connection(folder: Path, request_bytes: bytes, status: bytes) -> None:
    async with serving(folder) as (port, _):
        data = await talk(port, request_bytes)
    assert data.count(b"HTTP/1.1 ") == 1
    assert data.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nConnection: close\r\n" in data


async def test_clients_that_leave_early_leave_nothing_behind(folder: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    async with serving(folder) as (port, _):
        for sent in (b"", b"GET / HT", b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n"):
            stream = await anyio.connect_tcp("127.0.0.1", port)
            await stream.send(sent) if sent else None
            await stream.aclose()
        assert b"200 OK" in await talk(port, GET + END)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


async def test_stopping_closes_idle_connections_and_finishes_the_others(folder: Path) -> None:
    async with serving(folder) as (port, stop), AsyncExitStack() as stack:
        idle = await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))
        busy = await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))
        await busy.send(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        data = await busy.receive(1000)
        stop.set()
        assert await read_all(idle) == b""
        data += await read_all(busy)
        assert data.partition(b"\r\n\r\n")[2] == LARGE
        with pytest.raises(OSError, match=r"All connection attempts failed|refused"):
            await anyio.connect_tcp("127.0.0.1", port)


def start(folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    code = f"from tako_modules.runtimes.files_app import main; main({str(folder)!r})"
    return subprocess.Popen([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT), **env}, stderr=subprocess.PIPE)


def connect(port: int) -> socket.socket:
    """Connect as soon as the program listens."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), 1)
    raise TimeoutError


def test_the_program_ends_on_sigterm(folder: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start(folder, {"HOST": "127.0.0.1", "PORT": str(port)})
    try:
        with connect(port) as client:
            client.sendall(GET + END)
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("env", "place", "words"),
    [
        ({}, ".", b"PORT is not set"),
        ({"PORT": "1"}, "gone", b"is not a folder"),
        ({"PORT": "BUSY"}, ".", b"cannot serve"),
    ],
    ids=["no port", "no folder", "busy port"],
)
def test_what_cannot_be_served_says_why(folder: Path, env: dict[str, str], place: str, words: bytes) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = {name: value.replace("BUSY", str(holder.getsockname()[1])) for name, value in env.items()}
        process = start(folder / place, taken)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert words in err


def test_it_needs_the_standard_library_only() -> None:
    code = (
        "import sys; before = set(sys.modules); import tako_modules.runtimes.files_app; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    assert done.stdout == b"['tako_modules']\n"
    assert files_app.__name__ == "tako_modules.runtimes.files_app"
