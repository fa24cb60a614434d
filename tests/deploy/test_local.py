"""The built-in server where its folders cannot be: each cause is told with what to set."""

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
