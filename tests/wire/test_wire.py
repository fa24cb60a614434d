"""Every case file holds, in whatever pieces its bytes arrive."""

import pytest

from . import cases, peers
from .cases import Case

SIZES = (1, 2, 3, 5, 17, 1 << 20)


@pytest.mark.parametrize("case", cases.read("requests"), ids=lambda case: case.title)
def test_request(case: Case) -> None:
    for size in SIZES:
        verdict, out = peers.read_requests(peers.split(case.wire, size))
        assert (size, verdict) == (size, case.verdict)
        if case.out is not None:
            assert out == case.out


@pytest.mark.parametrize("case", cases.read("responses"), ids=lambda case: case.title)
def test_response(case: Case) -> None:
    expected, _, method = case.verdict.partition(" to ")
    for size in SIZES:
        verdict, out = peers.read_responses(peers.split(case.wire, size), method.encode() or b"GET")
        assert (size, verdict) == (size, expected)
        if case.out is not None:
            assert out == case.out
