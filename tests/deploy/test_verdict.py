"""Exit codes over several servers."""

import pytest

from tako_modules.base.errors import Cancelled, Locked, TakoError, Unreachable
from tako_modules.deploy.main import verdict
from tako_modules.deploy.story import Done

CASES: dict[str, tuple[list[TakoError | None], int]] = {
    "all done": ([None, None], 0),
    "one failed, one done": ([None, TakoError("x")], 6),
    "one unreachable, one done": ([Unreachable("x"), None], 6),
    "all unreachable": ([Unreachable("x"), Unreachable("y")], 4),
    "one unreachable, one failed": ([Unreachable("x"), TakoError("y")], 1),
    "the only one failed": ([TakoError("x")], 1),
    "the only one is unreachable": ([Unreachable("x")], 4),
    "all locked": ([Locked("x"), Locked("y")], 3),
    "stopped by the person": ([Cancelled("x"), Cancelled("y")], 5),
}


@pytest.mark.parametrize("case", CASES)
def test_the_exit_code_tells_how_it_ended(case: str) -> None:
    errors, code = CASES[case]
    found = verdict([Done(server=f"s{index}", error=error) for index, error in enumerate(errors)])
    assert (found.exit_code if found else 0) == code


def test_partly_done_names_where_it_was_not_done() -> None:
    found = verdict([Done(server="la"), Done(server="nyc", error=TakoError("x"))])
    assert found is not None
    assert "1 of 2" in found.message
    assert "nyc" in found.message
