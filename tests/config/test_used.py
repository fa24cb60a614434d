"""What a command does not use does not stop it."""

import pytest

from .reading import problems, read

ENV = '[envs.production]\nroute = "shop.example.com"\n'
STAGING = '[envs.staging]\nroute = "s.b"\n'
OTHERS = {
    "routes missing": "[envs.staging]\n",
    "route wrong": '[envs.staging]\nroute = "x"\n',
    "route and routes": '[envs.staging]\nroute = "a.b"\nroutes = ["c.d"]\n',
    "server of an undeclared environment": '[servers.old]\nenv = "gone"\n',
    "variable": f"{STAGING}[vars.staging]\nX = [1]\n",
    "too many variables": f'{STAGING}[vars.staging]\nX = "{"x" * 65_536}"\n',
    "instances": f'{STAGING}[servers.s]\nenv = "staging"\ninstances = 500\n',
    "host": f'{STAGING}[servers.s]\nenv = "staging"\nhost = "-x"\n',
    "range": f'{STAGING}[servers.s]\nenv = "staging"\ninstances = {{ min = 1, max = 3 }}\n',
    "development": '[envs.development]\nroute = "blog.test"\n[vars.development]\nX = [1]\n',
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS.keys())
def test_what_an_environment_does_not_use_does_not_stop_it(text: str) -> None:
    assert problems(ENV + text)
    assert read(ENV + text, env="production").name == "shop"


def test_what_it_uses_does() -> None:
    assert problems('[envs.production]\nroute = "x"\n', env="production")
    assert problems("[envs.production]\n[envs.staging]\n", env="production") == ["1: envs.production: has no routes"]


USED = {
    "common variable": (STAGING + "[vars]\nX = [1]\n", "4: vars.X: must be text"),
    "default": (STAGING + "[servers]\ninstances = 500\n", "4: servers.instances: must be a whole number"),
    "server of both": (
        ENV + STAGING + '[servers.s]\nenv = ["staging", "production"]\ninstances = 500\n',
        "7: servers.s.instances: must be a whole number",
    ),
    "server of no environment": (STAGING + "[servers.s]\nenv = 3\n", "4: servers.s.env: must be"),
    "variables of no environment": ("[vars.stagin]\nX = 1\n", "1: vars.stagin: there is no environment"),
    "environment that is no table": ("envs.staging = 3\n", "1: envs.staging: must be a table"),
    "a name that only begins so": (
        STAGING + '[envs.staging-eu]\nroute = "x"\n',
        "4: envs.staging-eu.route: 'x' needs a host",
    ),
}


@pytest.mark.parametrize(("text", "problem"), USED.values(), ids=USED.keys())
def test_what_everything_uses_does_too(text: str, problem: str) -> None:
    env = "staging-eu" if "staging-eu" in text else "production"
    assert [found[: len(problem)] for found in problems(text, env=env)] == [problem]


def test_warnings_are_about_what_is_used() -> None:
    text = ENV + STAGING + '[vars]\nENV = "x"\n[vars.staging]\nPORT = "1"\n'
    assert read(text, env="production").warnings == read(text.partition("[vars.staging]")[0]).warnings
    assert len(read(text).warnings) == 2
