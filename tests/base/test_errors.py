"""One error for several servers."""

import pytest

from tako_modules.base.errors import Cancelled, ConfigError, Locked, Refused, TakoError, Unreachable, all_failed

CASES: dict[str, tuple[list[TakoError], int]] = {
    "the only one failed": ([Refused("x")], 1),
    "the only one is locked": ([Locked("x")], 3),
    "the only one cannot be reached": ([Unreachable("x")], 4),
    "the only one is wrong": ([ConfigError("x")], 2),
    "none can be reached": ([Unreachable("x"), Unreachable("y")], 4),
    "one cannot be reached, one refuses": ([Unreachable("x"), Refused("y")], 1),
    "one is locked, one cannot be reached": ([Locked("x"), Unreachable("y")], 1),
    "all are locked": ([Locked("x"), Locked("y", code="lease_lost")], 3),
    "all were stopped": ([Cancelled("x"), Cancelled("y")], 5),
    "all refuse": ([Refused("x", code="rollback"), Refused("y")], 1),
    "all are wrong": ([ConfigError("x"), ConfigError("y")], 1),
}


@pytest.mark.parametrize(("errors", "code"), CASES.values(), ids=CASES.keys())
def test_the_exit_code_of_what_failed_everywhere(errors: list[TakoError], code: int) -> None:
    assert all_failed(errors).exit_code == code


def test_the_reason_that_is_told_is_of_a_server_that_was_reached() -> None:
    chosen = all_failed([Unreachable("la is gone", hint="wake it"), Refused("it is full", hint="free some space")])
    assert (chosen.message, chosen.hint) == ("2 servers failed: it is full", "free some space")
