"""Fixtures of the end-to-end tests: the bed, a fresh server, a server with the file on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import reliability
from tests.kit.bed import Bed
from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.local import Local, local_server

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "dist" / "tako.pyz"
PLACE = "/usr/local/bin/tako"
SECONDS = 300  # a test may boot servers, deploy and wait for what it provoked


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder: they need the built file, and more time than a unit."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(SECONDS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Keep the table of interruptions when a run has tried all of them."""
    passed = terminalreporter.getreports("passed")
    reliability.keep(one for report in passed for one in reliability.read(report.user_properties))


@pytest.fixture(scope="session")
def bed() -> Iterator[Bed]:
    """Give the bed: one engine, shared with the other worker processes."""
    with Bed.opened() as opened:
        yield opened


@pytest.fixture(scope="session")
def tako_pyz() -> Path:
    """Give the built file; an end-to-end test without it tests nothing."""
    assert FILE.exists(), "dist/tako.pyz is missing: python3 -m tests file"
    return FILE


@pytest.fixture
def server(bed: Bed) -> Iterator[Container]:
    """Give a bare server of the test's own."""
    with bed.container() as made:
        yield made


@pytest.fixture
def server_with_file(server: Container, tako_pyz: Path) -> Container:
    """Give a server that has the file as `tako` and nothing else of ours."""
    server.copy_in(tako_pyz, PLACE, mode=0o755)
    return server


@pytest.fixture(scope="module")
def local(tako_pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """Give one server on this machine to all tests of a module; each deploys apps of its own."""
    with local_server(tako_pyz, tmp_path_factory.mktemp("local")) as made:
        yield made


@pytest.fixture(scope="module")
def machine(bed: Bed) -> Iterator[Container]:
    """Give one bare machine to all tests of a module."""
    with bed.container() as made:
        yield made


@pytest.fixture(scope="module")
def desk(machine: Container, tako_pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Give the computer in front of the machine, which is a server called `la` when this returns."""
    made = Desk(tako_pyz, tmp_path_factory.mktemp("desk"), machine.key)
    done = made.add(machine, "la")
    assert done.code == 0, done.err
    return made


@pytest.fixture(scope="module")
def shared_server(bed: Bed, tako_pyz: Path) -> Iterator[Container]:
    """Give one server with the file to all tests of a module that only look at it."""
    with bed.container() as made:
        made.copy_in(tako_pyz, PLACE, mode=0o755)
        yield made
