"""The index of times."""

import pytest

from tako_modules.telemetry.times import Times, record

INDEX = record(0, 100.0) + record(50, 101.0) + record(50, 105.0) + record(90, 103.0)


@pytest.mark.parametrize(
    ("offset", "when"), [(0, 100.0), (49, 100.0), (50, 105.0), (89, 105.0), (90, 103.0), (10**9, 103.0)]
)
def test_a_byte_came_at_the_record_before_it(offset: int, when: float) -> None:
    assert Times(INDEX, 7.0).at(offset) == when


def test_without_records_the_files_own_time_counts() -> None:
    assert Times(b"", 7.0).at(3) == 7.0
    assert Times(b"torn", 7.0).at(3) == 7.0


def test_bytes_before_the_first_record_came_no_later() -> None:
    assert Times(record(10, 50.0) + b"torn", 7.0).at(3) == 50.0
