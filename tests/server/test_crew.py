"""What the processes of a deployment are started with."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tako_modules.base.clock import SystemClock
from tako_modules.base.paths import ServerPaths
from tako_modules.model.deployment import Deployment
from tako_modules.model.release import Release
from tako_modules.server.crew import Crew
from tako_modules.server.host import Host
from tako_modules.server.link import Link
from tako_modules.server.registry import Registry
from tako_modules.supervisor.spawn import Programs

RELEASE = Release(app="shop", version="v", created_at=1.0, env={"COLOUR": "red"})
UID = 60001


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    ours, init = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    registry, programs = Registry(), Programs(tako=("tako",), pip=("pip",), python="python3")
    registry.add(Deployment(app="shop", uid=UID))
    host = Host(ServerPaths(tmp_path), rootless=False)
    with ours, init:
        yield Crew(registry, host, Link(ours), SystemClock(), programs, report=lambda app, fact: None)


def test_an_install_is_at_home_where_the_app_is(crew: Crew, tmp_path: Path) -> None:
    request = crew.install_task(RELEASE, ("{pip}", "install"))
    home = tmp_path / "apps" / "shop" / "shared" / "data"
    assert (request.uid, request.argv) == (UID, ("pip", "install"))
    assert request.env["HOME"] == request.env["TAKO_DATA_DIR"] == str(home)
    assert request.env["COLOUR"] == "red"


def test_what_an_install_caches_is_no_data_of_the_app(crew: Crew, tmp_path: Path) -> None:
    env = crew.install_task(RELEASE, ("{pip}", "install")).env
    assert {env["PIP_CACHE_DIR"], env["XDG_CACHE_HOME"]} == {str(tmp_path / "cache" / "shop")}
    assert "PIP_CACHE_DIR" not in crew.command_task(RELEASE, "true").env


def test_only_installs_are_told_the_mirrors_of_the_server(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example.com/simple")
    assert crew.install_task(RELEASE, ("{pip}",)).env["PIP_INDEX_URL"] == "https://mirror.example.com/simple"
    assert "PIP_INDEX_URL" not in crew.command_task(RELEASE, "true").env
