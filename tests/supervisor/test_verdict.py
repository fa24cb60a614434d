"""Words and choices that need no app."""

import pytest

from tako_modules.supervisor import verdict
from tako_modules.supervisor.verdict import Seen


@pytest.mark.parametrize(
    ("routes", "host"),
    [
        (("shop.example.com",), "shop.example.com"),
        (("*.example.com", "Shop.Example.com/api/*"), "shop.example.com"),
        (("*.example.com",), "www.example.com"),
        ((), "localhost"),
    ],
    ids=["exact", "the exact one of several", "a wildcard", "none"],
)
def test_the_host_of_probes(routes: tuple[str, ...], host: str) -> None:
    assert verdict.app_host(routes) == host


def test_what_was_seen_in_words() -> None:
    asked = Seen(url="http://127.0.0.1:20011/", host="shop.example.com", error="connection refused")
    assert asked.words == "GET http://127.0.0.1:20011/ (Host shop.example.com): connection refused"


@pytest.mark.parametrize(
    ("state", "well"), [("healthy", True), ("ready", True), ("ok", True), ("starting", False), ("draining", False)]
)
def test_the_word_of_an_sdk(state: str, well: bool) -> None:
    seen = Seen(url="", host="", status=200, body=f'{{"status":"{state}","instance_id":"7","pid":1}}')
    assert (verdict.sdk_well(verdict.sdk_answer(seen, 7)) == "") is well
