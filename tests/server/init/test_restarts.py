"""Restarts: how long control and workers wait before they are started again."""

import pytest

from tako_modules.server.init.restarts import LONGEST, STEADY, Restarts

Ends = list[tuple[float, int | None]]


@pytest.mark.parametrize(
    ("ends", "delays"),
    [
        pytest.param([(0.1, 1)] * 8, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0], id="doubles to the longest"),
        pytest.param(
            [(0.1, 1), (0.1, -9), (STEADY, 1), (0.1, 1)], [0.1, 0.2, 0.1, 0.1], id="begins anew after a steady life"
        ),
        pytest.param([(0.1, 0), (9.0, 0)], [0.0, 0.0], id="code 0 at once"),
        pytest.param([(0.0, 0)] * 5, [0.0, 0.0, 0.0, 0.8, 1.6], id="code 0 in a loop waits"),
        pytest.param([(0.0, None), (0.0, None)], [0.1, 0.2], id="could not be started"),
        pytest.param([(0.0, 1)] * 5000, [*[0.1 * 2**n for n in range(6)], *[LONGEST] * 4994], id="never overflows"),
    ],
)
def test_delays(ends: Ends, delays: list[float]) -> None:
    restarts = Restarts()
    assert [restarts.delay("worker 0", lived, code) for lived, code in ends] == pytest.approx(delays)


def test_each_process_has_its_own_count() -> None:
    restarts = Restarts()
    restarts.delay("worker 0", 0.0, 1)
    assert restarts.delay("worker 1", 0.0, 1) == pytest.approx(0.1)


def test_the_counts_go_over_a_reexec() -> None:
    restarts = Restarts()
    restarts.delay("control control", 0.0, 1)
    assert Restarts(restarts.counts).delay("control control", 0.0, 1) == pytest.approx(0.2)
