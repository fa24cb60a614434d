"""Removing the built-in server: its folders go, an app's data does not without being asked for."""

from pathlib import Path

import pytest

from tako_modules.base.clock import SystemClock
from tako_modules.deploy.progress import Silent
from tako_modules.deploy.uninstall import remove_local
from tako_modules.protocol.setup import RemoveRequest, SetupData
from tests.kit.clock import ManualClock

DRY = RemoveRequest(apply=False, delete_apps=True)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a built-in server that does not run, with one app; its owner has a home of his own."""
    monkeypatch.setenv("TAKO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    (tmp_path / "home/local").mkdir(parents=True)
    (tmp_path / "home/config.toml").touch()
    orders = tmp_path / "data/tako/apps/shop/shared/data/orders"
    orders.parent.mkdir(parents=True)
    orders.write_text("42")
    return tmp_path / "data"


class Watching(Silent):
    """Notes which folders there are when a step begins."""

    def __init__(self, *folders: Path) -> None:
        self.folders = folders
        self.seen: list[tuple[str, list[bool]]] = []

    def step(self, server: str, text: str) -> None:
        """Look."""
        self.seen.append((text.split()[0], [folder.exists() for folder in self.folders]))


async def removed(request: RemoveRequest) -> SetupData:
    return await remove_local(request, SystemClock(), Silent())


async def test_apps_forbid_it(data: Path) -> None:
    done = await removed(RemoveRequest(apply=True))
    ((message, hint),) = done.problems
    assert message == "apps are deployed there: shop"
    assert "--delete-apps" in hint
    assert (data / "tako").is_dir()


async def test_a_dry_run_names_everything_and_removes_nothing(data: Path) -> None:
    done = await remove_local(DRY, ManualClock(now=0.0), Silent())
    assert done.steps == (
        f"move the data of shop (2 bytes) to {data}/tako-trash/shop-19700101T000000Z",
        f"remove the folder {data}/tako",
        f"remove the folder {data.parent}/home/local",
    )
    assert (data / "tako/apps/shop/shared/data/orders").exists()


async def test_data_goes_to_the_trash(data: Path) -> None:
    await removed(RemoveRequest(apply=True, delete_apps=True))
    (kept,) = data.glob("tako-trash/shop-*/orders")
    assert kept.read_text() == "42"
    assert not (data / "tako").exists()
    assert (data.parent / "home/config.toml").exists()


async def test_a_step_is_told_when_it_begins(data: Path) -> None:
    watching = Watching(data / "tako/apps/shop/shared/data", data / "tako", data.parent / "home/local")
    await remove_local(RemoveRequest(apply=True, delete_apps=True), SystemClock(), watching)
    assert watching.seen == [
        ("move", [True, True, True]),
        ("remove", [False, True, True]),
        ("remove", [False, False, True]),
    ]


async def test_purging_keeps_nothing(data: Path) -> None:
    await removed(RemoveRequest(apply=True, delete_apps=True))
    done = await removed(RemoveRequest(apply=True, purge=True))
    assert done.steps == (f"remove the folder {data}/tako-trash",)
    assert list(data.iterdir()) == []
