"""The management socket through SSH: a byte stream in both directions, and words when the other end has no server."""

import sys
from pathlib import Path

import anyio
import msgspec
import pytest

from tako_modules.base.errors import Unreachable
from tako_modules.mgmt import client
from tako_modules.mgmt.connection import Call
from tako_modules.protocol.messages import Hello, List, Request
from tako_modules.protocol.replies import HelloData, ListData
from tako_modules.ssh import dial, tunnel
from tako_modules.ssh.tunnel import ServerDown, TakoMissing

from ..mgmt.doors import serving
from .sshd import Sshd, running

ROOT = Path(__file__).parents[2]


def socket_command(path: Path) -> list[str]:
    """Write the command that pipes to a socket, as the installed launcher does."""
    code = "import sys; from tako_modules.mgmt.socket_pipe import pipe_stdio; sys.exit(pipe_stdio(sys.argv[1]))"
    return ["env", f"PYTHONPATH={ROOT}", sys.executable, "-c", code, str(path)]


async def test_a_client_talks_to_a_server_through_ssh(sshd: Sshd, tmp_path: Path) -> None:
    async with (
        serving(tmp_path / "s"),
        dial.connect(sshd.login, sshd.access()) as session,
        tunnel.stream_to(session, socket_command(tmp_path / "s")) as stream,
        await client.greet(stream, "la") as door,
    ):
        assert door.server is not None
        assert await door.hello() == door.server


async def test_a_key_that_allows_nothing_else_is_enough(tmp_path: Path) -> None:
    command = " ".join(f"'{word}'" for word in socket_command(tmp_path / "s")).replace('"', '\\"')
    with running(
        tmp_path / "sshd", "AllowTcpForwarding no\nAllowStreamLocalForwarding no\nDisableForwarding yes"
    ) as sshd:
        key = (sshd.folder / "authorized_keys").read_text()
        (sshd.folder / "authorized_keys").write_text(f'restrict,command="{command}" {key}')
        async with (
            serving(tmp_path / "s"),
            dial.connect(sshd.login, sshd.access()) as session,
            tunnel.stream_to(session) as stream,
            await client.greet(stream, "la") as door,
        ):
            assert door.server is not None


async def test_bytes_flow_both_ways_and_half_an_end_is_passed_on(sshd: Sshd) -> None:
    data = bytes(range(256)) * 20_000
    async with dial.connect(sshd.login, sshd.access()) as session, tunnel.stream_to(session, ["cat"]) as stream:
        got = bytearray()

        async def send() -> None:
            await stream.send(data)
            await stream.send_eof()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            async for piece in stream:
                got += piece
    assert bytes(got) == data


async def test_a_server_learns_that_the_ssh_connection_under_a_call_is_gone(sshd: Sshd, tmp_path: Path) -> None:
    started, gone = anyio.Event(), anyio.Event()

    async def patient(request: Request, call: Call) -> msgspec.Struct:
        if isinstance(request, Hello):
            return HelloData(protocol_version=3, server_version="0.1.0")
        started.set()
        await call.gone.wait()
        gone.set()
        return ListData(apps=())

    async def ask(door: client.Client) -> None:
        with pytest.raises(Unreachable):
            await door.call(List(), ListData)

    async with (
        serving(tmp_path / "s", patient),
        dial.connect(sshd.login, sshd.access()) as session,
        tunnel.stream_to(session, socket_command(tmp_path / "s")) as stream,
        await client.greet(stream, "la") as door,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(ask, door)
        await started.wait()
        session.connection.abort()
        with anyio.fail_after(10):
            await gone.wait()


@pytest.mark.parametrize(
    ("argv", "kind", "words"),
    [
        pytest.param(["/none/tako", "__socket__"], TakoMissing, "not installed", id="no tako"),
        pytest.param(["sh", "-c", "echo 'tako: cannot reach' >&2; exit 4"], ServerDown, "cannot reach", id="no server"),
        pytest.param(["sh", "-c", "echo oops >&2; exit 1"], Unreachable, "oops", id="something else"),
        pytest.param(["true"], Unreachable, "ended with code 0", id="nothing at all"),
        pytest.param(["sh", "-c", "kill -9 $PPID"], Unreachable, "connection to la ended", id="the connection is cut"),
    ],
)
async def test_an_end_before_the_first_byte_is_explained(
    sshd: Sshd, argv: list[str], kind: type[Unreachable], words: str
) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        with pytest.raises(kind, match=words) as caught:
            async with tunnel.stream_to(session, argv) as stream:
                await client.greet(stream, "la")
    assert type(caught.value) is kind


async def test_a_missing_server_is_told_through_the_real_pipe(sshd: Sshd, tmp_path: Path) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session:
        with pytest.raises(ServerDown, match="No such file"):
            async with tunnel.stream_to(session, socket_command(tmp_path / "none")) as stream:
                await stream.receive()


async def test_a_connection_that_is_cut_in_the_middle_is_a_broken_stream(sshd: Sshd) -> None:
    argv = ["sh", "-c", "echo x; read line; kill -9 $PPID"]
    async with dial.connect(sshd.login, sshd.access()) as session, tunnel.stream_to(session, argv) as stream:
        assert await stream.receive() == b"x\n"
        await stream.send(b"go\n")
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await stream.receive()


async def test_a_closed_stream_says_so(sshd: Sshd) -> None:
    async with dial.connect(sshd.login, sshd.access()) as session, tunnel.stream_to(session, ["cat"]) as stream:
        await stream.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await stream.receive()
        with pytest.raises(anyio.ClosedResourceError):
            await stream.send(b"x")
