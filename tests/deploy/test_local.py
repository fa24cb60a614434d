"""The built-in server where its folders cannot be: each cause is told with what to set."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tako_modules.base.clock import SystemClock
from tako_modules.base.errors import TakoError
from tako_modules.deploy import local


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No runtime directory: the socket is below TAKO_HOME."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


async def refusal() -> TakoError:
    """Try to have it."""
    with pytest.raises(TakoError) as caught:
        await local.ensure(SystemClock(), lambda _: None)
    return caught.value


@pytest.mark.parametrize("below", ["", "sub"], ids=["a file", "below a file"])
async def test_a_home_that_is_a_file(below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TAKO_HOME", str(tmp_path / "file" / below))
    error = await refusal()
    assert str(tmp_path / "file") in error.message
    assert "Not a directory" in error.message
    assert error.hint == "set TAKO_HOME to a folder that you can write"


async def test_a_home_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAKO_HOME", "/proc/nowhere")  # nobody may make folders there, root neither
    error = await refusal()
    assert "cannot make the folder /proc/nowhere/local" in error.message
    assert error.hint == "set TAKO_HOME to a folder that you can write"


@pytest.mark.parametrize(("name", "what"), [("start.lock", "cannot write in"), ("serve.log", "cannot write")])
async def test_a_file_that_cannot_be_written(
    name: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local" / name).mkdir(parents=True)
    monkeypatch.setenv("TAKO_HOME", str(tmp_path))
    error = await refusal()
    assert what in error.message
    assert "Is a directory" in error.message
    assert "TAKO_HOME" in error.hint


@pytest.mark.parametrize("variable", ["TAKO_HOME", "XDG_RUNTIME_DIR"])
async def test_a_path_that_no_socket_can_have(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 60) / ("y" * 60)
    long.mkdir(parents=True)
    monkeypatch.setenv("TAKO_HOME", str(tmp_path))
    monkeypatch.setenv(variable, str(long))
    error = await refusal()
    assert "may have 107" in error.message
    assert error.hint == f"set {variable} to a folder with a shorter path"


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def busy(request: pytest.FixtureRequest) -> Iterator[int]:
    """Listen on a loopback address of one family alone; gives the port."""
    family, address = request.param
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()
        yield listener.getsockname()[1]


def free_ports(count: int) -> list[int]:
    """Find ports that are free in both families now."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket(socket.AF_INET6)) for _ in range(count)]
        for probe in probes:
            probe.bind(("::", 0))
        return [probe.getsockname()[1] for probe in probes]


def test_a_busy_port_names_its_holder_and_the_next_pair_is_taken(busy: int) -> None:
    first, second, third = free_ports(3)
    told: list[str] = []
    assert local.free_pair([(first, busy), (second, third)], told.append) == (second, third)
    name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    assert told == [f"port {busy} is in use by {name} (pid {os.getpid()}): trying the next pair"]


def test_no_pair_is_free(busy: int) -> None:
    with pytest.raises(TakoError, match=f"none of the port pairs {busy}/{busy} is free") as caught:
        local.free_pair([(busy, busy)], lambda _: None)
    assert "ss -tlnp" in caught.value.hint
