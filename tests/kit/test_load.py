"""The load against its app: nothing fails while it is well, and everything that breaks is counted."""

import asyncio
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
import trustme

from .load import Load, Options, Summary

APP = Path(__file__).parent / "apps" / "echo" / "app.py"
HOST = "echo.test"
ENDED = (ConnectionError, ssl.SSLError)  # the load leaves with answers on their way: to TLS that is an error
LITTLE = Options(port=0, host=HOST, plain=True, keep_alive=4, fresh=2, slow=0, websockets=2, rate=200.0)


def free_port() -> int:
    """Find a port for an app."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


@contextmanager
def app(port: int, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the app until the end of the block; it listens when the block begins."""
    env = {"PORT": str(port), "TAKO_BUILD": "v1", "PYTHONUNBUFFERED": "1", **variables}
    with subprocess.Popen([sys.executable, str(APP)], env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "listens" in process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def adds_up(summary: Summary) -> bool:
    """Tell whether every request that was started ended one way or the other."""
    return summary.started == summary.finished + summary.failed > 0


def answered(number: int) -> Callable[[Summary], bool]:
    """Give the condition that so many requests were answered."""
    return lambda summary: summary.finished >= number


async def test_nothing_fails_while_the_app_is_well() -> None:
    """All kinds of requests are made, all are answered by the one version."""
    port = free_port()
    with app(port):
        async with Load(replace(LITTLE, port=port)) as load:
            await load.until(answered(100))
            summary = await load.stop()
    assert summary.failures == ()
    assert adds_up(summary)
    assert summary.versions == {"v1": summary.finished}
    assert (summary.first_version, summary.last_version) == ("v1", "v1")
    assert summary.websocket_codes == {"1000": 2}
    assert summary.websocket_texts > 0
    assert 0 < summary.median <= summary.p99 <= summary.slowest * 1.1


async def test_a_killed_app_is_counted() -> None:
    """Requests under way are reset or short, later ones refused, WebSockets end without a goodbye."""
    port = free_port()
    with app(port) as process:
        async with Load(replace(LITTLE, port=port)) as load:
            await load.until(answered(50))
            process.kill()
            await load.until(lambda summary: summary.failed >= 20)
            summary = await load.stop()
    assert summary.failed_by_kind.keys() <= {"reset", "refused", "short"}
    assert summary.failed_by_kind["refused"] > 0
    assert adds_up(summary)
    assert summary.websocket_codes["1006"] == 2
    assert all(failure.at > 0 for failure in summary.failures)


async def test_a_stopped_app_takes_its_leave() -> None:
    """On SIGTERM the app finishes what it answers, says 1001 to WebSockets and ends by itself."""
    port = free_port()
    with app(port) as process:
        async with Load(replace(LITTLE, port=port)) as load:
            await load.until(answered(50))
            process.send_signal(signal.SIGTERM)
            with anyio.fail_after(10):
                await anyio.to_thread.run_sync(process.wait)
            summary = await load.stop()
    assert process.returncode == 0
    assert summary.websocket_codes.get("1001") == 2
    assert "short" not in summary.failed_by_kind


async def test_the_next_version_is_seen() -> None:
    """Versions are told by the start of their requests."""
    port = free_port()
    async with Load(replace(LITTLE, port=port)) as load:
        for version in ("v1", "v2"):
            with app(port, TAKO_BUILD=version) as process:
                before = (await load.peek()).finished
                await load.until(answered(before + 20))
                process.terminate()
        summary = await load.stop()
    assert (summary.first_version, summary.last_version) == ("v1", "v2")
    assert summary.spans["v1"][1] < summary.spans["v2"][0]
    assert adds_up(summary)


@asynccontextmanager
async def passing(port: int, to: int, context: ssl.SSLContext) -> AsyncIterator[None]:
    """Take TLS off on `port` and pass the bytes to another port and back."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(*ENDED):
            while data := await source.read(65536):
                sink.write(data)
        sink.close()
        with suppress(*ENDED):
            await sink.wait_closed()

    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        back, forth = await asyncio.open_connection("127.0.0.1", to)
        async with asyncio.TaskGroup() as ways:
            ways.create_task(pump(reader, forth))
            ways.create_task(pump(back, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", port, ssl=context):
        yield
        await asyncio.gather(*(one for one in serving if one is not None))  # a server leaves its connections open


async def test_tls_by_name(tmp_path: Path) -> None:
    """The certificate is checked for the host that was asked for, at whatever address it is."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    inner, outer = free_port(), free_port()
    options = replace(LITTLE, port=outer, plain=False, ca=str(tmp_path / "ca.pem"))
    with app(inner):
        async with passing(outer, inner, context):
            async with Load(options) as load:
                await load.until(answered(50))
                well = await load.stop()
            async with Load(replace(options, host="other.test")) as load:
                await load.until(lambda summary: summary.failed >= 5)
                ill = await load.stop()
    assert well.failures == ()
    assert adds_up(well)
    assert ill.finished == 0
    assert ill.failed_by_kind.keys() == {"tls"}


@pytest.mark.alone
@pytest.mark.timeout(60)
async def test_the_whole_load_fails_nothing(tmp_path: Path) -> None:
    """The full number of loops, as fast as they can, with long responses open all the time."""
    port = free_port()
    with app(port, TAKO_DATA_DIR=str(tmp_path)):
        async with Load(Options(port=port, host=HOST, plain=True)) as load:
            await anyio.sleep(3)
            summary = await load.stop()
    assert summary.failures == ()
    assert adds_up(summary)
    ids = (tmp_path / "ids").read_text().split()
    assert len(ids) == len(set(ids)) > 0
