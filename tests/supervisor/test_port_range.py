"""Which port the next instance gets."""

import pytest

from tako_modules.base.errors import TakoError
from tako_modules.supervisor import port_range


@pytest.mark.parametrize(
    ("taken", "offset", "newest", "port"),
    [
        ((), 0, 0, 20000),
        ((20000, 20001), 0, 0, 20002),
        ((20000,), 0, 20000, 20001),
        ((), 0, 20417, 20418),
        ((29999,), 0, 29998, 20000),
        ((), 0, 29999, 20000),
        ((), 5000, 0, 25000),
        ((), 5000, 20001, 25000),
        ((), 5000, 30001, 30002),
    ],
    ids=[
        "first",
        "next",
        "after",
        "on",
        "round past a taken one",
        "round",
        "offset",
        "offset is new",
        "offset goes on",
    ],
)
def test_the_first_free_one_after_the_newest(taken: tuple[int, ...], offset: int, newest: int, port: int) -> None:
    assert port_range.choose(set(taken), offset=offset, newest=newest) == port


def test_all_are_taken() -> None:
    with pytest.raises(TakoError, match="20000 to 29999"):
        port_range.choose(range(20000, 30000), newest=20500)
