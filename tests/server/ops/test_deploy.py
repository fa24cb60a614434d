"""What a deploy request may say."""

import pytest

from tako_modules.base.errors import Refused
from tako_modules.model.route import ROUTES_LIMIT
from tako_modules.protocol.messages import Deploy
from tako_modules.server.ops.deploy import check_request


def request(*, routes: int = 1, note: str = "") -> Deploy:
    """Make a request that is right but for what is given."""
    named = tuple(f"shop{number}.example.com" for number in range(routes))
    return Deploy(
        app="shop", version="v", path="/d/apps/shop/releases/v", fence=1, routes=named, instances=1, note=note
    )


def test_routes_in_normal_form() -> None:
    assert check_request(request(routes=ROUTES_LIMIT))[0] == "shop0.example.com"


@pytest.mark.parametrize(
    ("routes", "message", "hint"),
    [(0, "needs a route", "add `route`"), (ROUTES_LIMIT + 1, "this one has 101", "take some out of `routes`")],
    ids=["none", "too many"],
)
def test_the_number_of_routes(routes: int, message: str, hint: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        check_request(request(routes=routes))
    assert hint in refused.value.hint


@pytest.mark.parametrize("note", ["x" * 1001, "a\nb", "\x1b[31mred", "\x9b2J", "\u202eback"])
def test_a_note_that_could_steer_a_terminal_is_refused(note: str) -> None:
    with pytest.raises(Refused, match="the note") as refused:
        check_request(request(note=note))
    assert refused.value.code == "invalid"
