"""Routes that could never match, and how to write those that could."""

import pytest

from tako_modules.config.problems import BadConfig
from tako_modules.model.route import ROUTES_LIMIT

from .reading import problems, read

BROKEN = {
    "too many routes": (
        f"[envs.staging]\nroutes = {[f'a{number}.b' for number in range(101)]}",
        "2: envs.staging.routes: has 101 routes; a deploy takes 1 to 100",
    ),
    "host too long": (
        f'[envs.staging]\nroute = "{".".join(["a" * 60] * 5)}"',
        f"2: envs.staging.route: '{'a' * 60}.{'a' * 19}'… has a host that is too long: at most 253 characters",
    ),
    "label too long": (
        f'[envs.staging]\nroute = "{"a" * 64}.b"',
        f"2: envs.staging.route: '{'a' * 64}.b' has a host with a part that is too long: at most 63",
    ),
    "host beyond ASCII": (
        '[envs.staging]\nroute = "bücher.example"',
        "2: envs.staging.route: 'bücher.example' has a host with letters that the network writes as xn--",
    ),
    "line end in a route": (
        '[envs.staging]\nroute = "a.b/\\n"',
        "2: envs.staging.route: 'a.b/\\n' has a space or a line",
    ),
    "space before a route": ('[envs.staging]\nroute = " a.b"', "2: envs.staging.route: ' a.b' has a space or a line"),
    "two dots in a path": ('[envs.staging]\nroute = "a.b/../c"', "2: envs.staging.route: 'a.b/../c' has `.` or `..`"),
    "a dot in a path": ('[envs.staging]\nroute = "a.b/x/."', "2: envs.staging.route: 'a.b/x/.' has `.` or `..`"),
    "a hidden dot": ('[envs.staging]\nroute = "a.b/%2e/x"', "2: envs.staging.route: 'a.b/%2e/x' has `.` or `..`"),
    "hidden dots": ('[envs.staging]\nroute = "a.b/.%2E/*"', "2: envs.staging.route: 'a.b/.%2E/*' has `.` or `..`"),
    "empty part": ('[envs.staging]\nroute = "a.b//x"', "2: envs.staging.route: 'a.b//x' has an empty part"),
    "empty last part": ('[envs.staging]\nroute = "a.b/x//"', "2: envs.staging.route: 'a.b/x//' has an empty part"),
    "tako's own host": (
        '[envs.staging]\nroute = "Tako.Internal/api/*"',
        "2: envs.staging.route: 'Tako.Internal/api/*' has a host that is tako's own",
    ),
    "empty part before a star": (
        '[envs.staging]\nroute = "a.b//*"',
        "2: envs.staging.route: 'a.b//*' has an empty part",
    ),
}


@pytest.mark.parametrize(("text", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_rule_names_line_and_key(text: str, problem: str) -> None:
    [found] = problems(text)
    assert found.startswith(problem), found


UNUSUAL_ROUTES = [
    *(
        "a.b/.well-known/*",
        "a.b/.*",
        "a.b/...",
        "a.b/x/y..z",
        "a.b/%2e%2e%2e",
        "a.b/v1*",
        "a.b/x/*",
        "*.a.b/x*",
    ),
    *(f"{'a' * 63}.b", f"{'.'.join(['a' * 49] * 5)}.abc", "xn--bcher-kva.example"),
]


@pytest.mark.parametrize("route", UNUSUAL_ROUTES)
def test_unusual_routes_are_taken(route: str) -> None:
    assert read(f'[envs.production]\nroute = "{route}"').environments[0].routes == (route,)


def test_a_slash_at_the_end_makes_no_other_route() -> None:
    assert read('[envs.production]\nroute = "a.b/x/"').environments[0].routes == ("a.b/x",)
    assert problems('[envs.staging]\nroutes = ["a.b/x", "a.b/x/"]') == [
        "2: envs.staging.routes[1]: 'a.b/x/' is listed twice"
    ]


def test_as_many_routes_as_a_server_takes() -> None:
    many = [f"a{number}.b" for number in range(ROUTES_LIMIT)]
    assert len(read(f"[envs.production]\nroutes = {many}").environments[0].routes) == ROUTES_LIMIT
    with pytest.raises(BadConfig, match="has 101 routes"):
        read(f"[envs.production]\nroutes = {[*many, 'more.b']}")


HINTS = [
    ('[envs.staging]\nroute = "*.Bücher.example/x*"', 'write "*.xn--bcher-kva.example/x*"'),
    ('[envs.staging]\nroute = "straße.de"', 'write "xn--strae-oqa.de"'),
    ('[envs.staging]\nroute = "tako.internal"', "use another host, such as shop.example.com"),
    ('[envs.staging]\nroute = "ü!.de"', 'write a route such as "shop.example.com" or "example.com/api/*"'),
]


@pytest.mark.parametrize(("text", "words"), HINTS, ids=[text for text, _ in HINTS])
def test_the_form_that_the_network_knows_is_told(text: str, words: str) -> None:
    with pytest.raises(BadConfig) as caught:
        read(text)
    assert caught.value.problems[0].hint == words
