"""Who may have which route beside whom."""

import pytest

from tako_modules.plan import conflicts

TAKEN = {"shop": ("shop.example.com", "*.example.com/api/*"), "blog": ("example.org/blog*",)}


@pytest.mark.parametrize(
    ("wanted", "owner"),
    [
        ("shop.example.com", "shop"),
        ("SHOP.example.com/*", "shop"),
        ("*.example.com/api/*", "shop"),
        ("example.org/blog*", "blog"),
        ("shop.example.com/admin/*", None),
        ("*.example.com", None),
        ("example.org/blog/*", None),
        ("example.org", None),
    ],
)
def test_the_same_pattern_is_refused_and_a_different_one_is_not(wanted: str, owner: str | None) -> None:
    found = conflicts.find([wanted], TAKEN)
    assert (found.app if found else None) == owner


def test_patterns_that_cover_the_same_requests_are_shown() -> None:
    shown = {(found.app, found.route) for found in conflicts.shadows(["shop.example.com/admin/*"], TAKEN)}
    assert shown == {("shop", "shop.example.com")}
    assert conflicts.shadows(["other.example.net"], TAKEN) == []
