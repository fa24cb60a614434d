"""What stands twice in a file is named, with both of its lines."""

import pytest

from tako_modules.config.problems import BadConfig

from .reading import problems, read

ENV = '[envs.production]\nroute = "shop.example.com"\n'


BROKEN = {
    "key twice": ("name = 'a'\nname = 'b'", "2: name: not valid TOML: name is there already, in line 1"),
    "key twice in a table": (
        ENV + 'route = """\nx"""\n',
        "3: envs.production.route: not valid TOML: envs.production.route is there already, in line 2",
    ),
    "key twice with tables": ("a = {b = 1}\n\na = {b = 2}", "3: a: not valid TOML: a is there already, in line 1"),
    "key below a value": ("a = 1\na.b = 2", "2: a.b: not valid TOML: a is there already, in line 1"),
    "table twice": ("[health]\n[vars]\n[health]", "3: health: not valid TOML: health is there already, in line 1"),
    "table of a value": ("[servers]\nx = 1\n[servers.x]", "3: servers.x: not valid TOML: servers.x is there"),
    "list of a table": ("[a]\nb = 1\n[[a]]", "3: a: not valid TOML: a is there already, in line 1"),
    "tables of a list": ("a = [1]\n[[a]]", "2: a: not valid TOML: a is there already, in line 1"),
    "key of a value in one line": ("a = {b = 1, b.c = 2}", "1: : not valid TOML: Cannot "),
    "key twice in one line": ("a = {b = 1, b = 2}", "1: : not valid TOML: Duplicate inline table key 'b'"),
}


@pytest.mark.parametrize(("text", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_rule_names_line_and_key(text: str, problem: str) -> None:
    [found] = problems(text)
    assert found.startswith(problem), found


def test_the_hint_leaves_the_choice() -> None:
    with pytest.raises(BadConfig, match=r"^tako\.toml:2: a: ") as caught:
        read("a = 1\na = 2")
    assert caught.value.problems[0].hint == "keep one of the two"
