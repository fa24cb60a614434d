"""The phases: what is run, in which order, and what is left out."""

from pathlib import Path

import pytest

from . import machine, phases
from .environment import PYTHON


def test_everything_is_made_of_phases() -> None:
    """Every name leads to a phase, forerunners included."""
    named = {*phases.EVERYTHING, *(name for phase in phases.PHASES.values() for name in phase.after)}
    assert named <= phases.PHASES.keys()


@pytest.mark.parametrize(
    ("asked", "run"),
    [
        (["unit"], ["unit"]),
        (["e2e"], ["file", "bed", "e2e"]),
        (["alone", "e2e"], ["file", "bed", "alone", "e2e"]),
        (phases.EVERYTHING, list(phases.EVERYTHING)),
    ],
)
def test_forerunners_come_first(asked: list[str], run: list[str]) -> None:
    """A phase brings what it needs, each once."""
    assert phases.with_forerunners(asked) == run


@pytest.mark.parametrize(
    ("argv", "slow", "expected"),
    [
        (("ruff", "check"), False, ["ruff", "check"]),
        (phases.PYTEST, True, [*phases.PYTEST]),
        (phases.PYTEST, False, [*phases.PYTEST, "-m", "not slow"]),
        ((*phases.PYTEST, "-m", "e2e", "x"), False, [*phases.PYTEST, "-m", "(e2e) and not slow", "x"]),
    ],
)
def test_slow_tests_are_left_out(argv: tuple[str, ...], slow: bool, expected: list[str]) -> None:
    """Unless they are asked for, also where marks are chosen already."""
    assert phases.with_slow(argv, slow=slow) == expected


@pytest.mark.parametrize(
    ("line", "closing"),
    [
        ("12 passed in 3.21s", True),
        ("1 failed, 6 passed in 9.08s", True),
        ("======= 4 passed, 2 warnings in 0.10s =======", True),
        ("3 passed in 61.00s (0:01:01)", True),
        ("tests/x.py::test_y passed", False),
    ],
)
def test_closing_lines(line: str, closing: bool) -> None:
    """Pytest's last line is known in all its forms."""
    assert (phases.SUMMARY.match(line) is not None) is closing


def test_a_failed_command_fails_its_phase_and_those_after_it(capfd: pytest.CaptureFixture[str]) -> None:
    """The rest is not run on what is broken, and that counts as failed."""
    bad = phases.Phase(commands=((str(PYTHON), "-c", "print('5 failed in 1.00s'); raise SystemExit(3)"),))
    good = phases.Phase(commands=((str(PYTHON), "-c", "print('fine')"),))
    outcomes = phases.run(
        ["bad", "good", "after"],
        slow=True,
        table={"bad": bad, "good": good, "after": phases.Phase(commands=(), after=("bad",))},
    )
    assert [(outcome.name, outcome.passed) for outcome in outcomes] == [
        ("bad", False),
        ("good", True),
        ("after", False),
    ]
    assert outcomes[0].words[0] == "5 failed in 1.00s"
    assert outcomes[0].words[1].startswith("failed (3)")
    assert outcomes[2].words == ("not run: bad failed",)
    assert "fine" in capfd.readouterr().out


def test_packages_are_those_of_missing_programs(tmp_path: Path) -> None:
    """What is there is not installed again."""
    (tmp_path / "there").write_text("")
    (tmp_path / "there").chmod(0o755)
    tools = {"there": "a", "not-there": "b", "not-there-either": "b"}
    assert machine.packages_for(tools, path=str(tmp_path)) == ["b"]
