"""The built file answers for itself on a bare server, whoever starts it."""

import pytest

from tests.house.cold import heavy_imports
from tests.kit.container import Container

from .conftest import FILE, PLACE

STARTS = {
    "root": ("root", [PLACE, "__selftest__"]),
    "nobody": ("nobody", [PLACE, "__selftest__"]),
    "home_unset": ("root", ["env", "--unset=HOME", PLACE, "__selftest__"]),
    "nobody_home_unset": ("nobody", ["env", "--ignore-environment", "/usr/bin/python3", PLACE, "__selftest__"]),
    "isolated": ("root", ["/usr/bin/python3", "-IS", PLACE, "__selftest__"]),
}


@pytest.mark.parametrize("start", STARTS)
def test_selftest(shared_server: Container, start: str) -> None:
    """Every part of the file is found and loads: as root, as nobody, with no home."""
    user, argv = STARTS[start]
    done = shared_server.exec(argv, user=user, check=False)
    assert done.code == 0, done.out + done.err


@pytest.mark.parametrize("option", ["--help", "--version"])
@pytest.mark.usefixtures("tako_pyz")
def test_file_starts_cold(option: str) -> None:
    """The archive's own boot imports nothing heavy either."""
    assert heavy_imports("/usr/bin/python3", [str(FILE), option]) == []
