"""Which requests a pattern covers, and which pattern answers when several do."""

import pytest

from tako_modules.model.route import BadRoute, Route, RouteTable


def answering(routes: list[str], host: bytes, path: bytes = b"/") -> str | None:
    """Tell which of these patterns answers, in whatever order they come."""
    pairs = [(Route.parse(text), text) for text in routes]
    found = {RouteTable(order).find(host, path) for order in (pairs, pairs[::-1])}
    assert len(found) == 1
    return found.pop()


def test_an_exact_host_before_a_wildcard_whatever_the_path_is() -> None:
    routes = ["*.example.com/api/v1/*", "x.example.com"]
    assert answering(routes, b"x.example.com", b"/api/v1/users") == "x.example.com"


def test_a_longer_wildcard_before_a_longer_path() -> None:
    routes = ["*.example.com/api/*", "*.a.example.com"]
    assert answering(routes, b"x.a.example.com", b"/api/v1") == "*.a.example.com"
    assert answering(routes, b"x.b.example.com", b"/api/v1") == "*.example.com/api/*"


def test_a_shorter_wildcard_takes_what_the_longer_one_leaves() -> None:
    routes = ["*.example.com", "*.a.example.com/api/*"]
    assert answering(routes, b"x.a.example.com", b"/api/v1") == "*.a.example.com/api/*"
    assert answering(routes, b"x.a.example.com", b"/") == "*.example.com"


def test_a_longer_path_before_a_shorter_one_and_an_exact_one_before_both() -> None:
    routes = ["a.test", "a.test/p*", "a.test/p/*", "a.test/p", "a.test/p/q/*"]
    paths = {b"/": 0, b"/px": 1, b"/p/x": 2, b"/p": 3, b"/p/": 3, b"/p/q/r": 4}
    assert {path: routes.index(answering(routes, b"a.test", path) or "") for path in paths} == paths


def test_a_wildcard_has_names_of_any_depth_but_not_its_own() -> None:
    assert answering(["*.a.test"], b"x.y.a.test") == "*.a.test"
    assert answering(["*.a.test"], b"a.test") is None


@pytest.mark.parametrize("route", ["a.test/admin", "a.test/admin/"])
@pytest.mark.parametrize(
    ("path", "fits"), [(b"/admin", True), (b"/admin/", True), (b"/admin/x", False), (b"/adminx", False), (b"/", False)]
)
def test_a_slash_at_the_end_of_an_exact_path_makes_no_difference(route: str, path: bytes, fits: bool) -> None:
    assert (answering([route], b"a.test", path) is not None) is fits


def test_two_patterns_that_differ_in_that_slash_are_one() -> None:
    assert Route.parse("a.test/admin/") == Route.parse("a.test/admin")
    assert str(Route.parse("a.test/admin/")) == "a.test/admin"


@pytest.mark.parametrize("text", ["tako.internal", "TAKO.internal/status", "tako.internal/app/*"])
def test_the_servers_own_host_is_no_route(text: str) -> None:
    with pytest.raises(BadRoute, match="tako's own") as refused:
        Route.parse(text)
    assert "another host" in refused.value.hint
