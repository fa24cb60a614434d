"""One sshd for all tests of a file that need nothing special of it."""

from collections.abc import Iterator

import pytest

from .sshd import Sshd, running


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Run a real sshd that lets one key in."""
    with running(tmp_path_factory.mktemp("sshd")) as daemon:
        yield daemon
