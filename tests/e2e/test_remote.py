"""A bare machine becomes a server, and apps of three kinds answer on it by their routes."""

import shutil
import time
from pathlib import Path

import pytest

from tests.kit import desk as desks
from tests.kit.container import ABSENT, Container
from tests.kit.desk import Desk
from tests.kit.projects import project

APPS = Path(__file__).resolve().parents[1] / "kit" / "apps"
HOSTS = ("hello.bed.test", "asgi.bed.test", "site.bed.test")
ADD_SECONDS, FIRST_SECONDS, AGAIN_SECONDS = 60, 15, 8
SYSTEM = ("/etc", "/usr/local", "/opt", "/home", "/root", "/var/lib/tako")


@pytest.fixture(scope="module")
def desk(machine: Container, tako_pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The computer in front of it; the machine is a server called `la` when this returns."""
    made = Desk(tako_pyz, tmp_path_factory.mktemp("desk"), machine.key)
    assert machine.found_of(ABSENT) == []
    began = time.monotonic()
    done = made.add(machine, "la")
    assert done.code == 0, done.err
    assert within(began, ADD_SECONDS, "servers add")
    return made


def within(began: float, bound: float, what: str) -> bool:
    """Tell whether something was done in time, and how long it took."""
    took = time.monotonic() - began
    print(f"{what}: {took:.1f} s")
    return took <= bound


def test_adding_a_server_again_changes_nothing(desk: Desk, machine: Container) -> None:
    before = desks.tree(machine, *SYSTEM)
    again = desk.add(machine, "la")
    assert again.code == 0, again.err
    assert "0 changes" in again.out + again.err
    assert desks.tree(machine, *SYSTEM) == before


def copied(kind: str, folder: Path) -> Path:
    shutil.copytree(APPS / kind, folder)
    return folder


def test_three_kinds_of_app_answer_by_their_routes(desk: Desk, machine: Container, tmp_path: Path) -> None:
    folders = [
        project("hello", tmp_path / "hello"),
        copied("asgi", tmp_path / "asgi"),
        copied("site", tmp_path / "site"),
    ]
    began = time.monotonic()
    versions = [desk.deploy(folders[0]).version]
    assert within(began, FIRST_SECONDS, "first deploy")
    began = time.monotonic()
    assert desk.deploy(folders[0]).version == versions[0]
    assert within(began, AGAIN_SECONDS, "unchanged deploy")
    versions += [desk.deploy(folder).version for folder in folders[1:]]
    desk.certify(machine, *HOSTS)
    hello = desk.curl(machine, f"https://{HOSTS[0]}/", "-i", "--retry", "5", "--retry-all-errors")
    assert hello.code == 0, hello.err
    assert f"x-version: {versions[0]}" in hello.out.lower()
    asgi = desk.curl(machine, f"https://{HOSTS[1]}/", "--retry", "5", "--retry-all-errors")
    assert asgi.out == f"starlette {versions[1]}\n", asgi.err
    site = desk.curl(machine, f"https://{HOSTS[2]}/", "--retry", "5", "--retry-all-errors")
    assert "A stock site" in site.out, site.err
    moved = desk.curl(machine, f"http://{HOSTS[2]}/a?b=c%20d&e", "-i")
    assert " 308 " in moved.out.splitlines()[0]
    assert f"location: https://{HOSTS[2]}/a?b=c%20d&e\r\n" in moved.out.lower()
