"""What a deploy needs of a project and an inventory."""

import pytest

from tako_modules.config.check import check_for_deploy, located, targets
from tako_modules.config.problems import Problem
from tako_modules.config.read import read_project
from tako_modules.model.project import Project
from tako_modules.model.server import Server

TEXT = """
name = "shop"
[envs.production]
route = "shop.example.com"
[envs.staging]
routes = ["staging.shop.example.com"]
[envs.development]
[servers.la]
env = "production"
instances = 2
[servers.fra]
env = ["production", "staging"]
[servers.local]
env = "staging"
[servers.far]
env = "production"
host = "198.51.100.1"
port = 2200
"""
LA = Server(name="la", host="203.0.113.7")
FRA = Server(name="fra", host="203.0.113.8", admin="root")


def project(text: str = TEXT, env: str = "") -> Project:
    return read_project(text, "tako.toml", folder_name="shop", env=env)


def test_all_is_well() -> None:
    assert check_for_deploy(project(), "production", [LA, FRA]) == []


def test_development_is_refused() -> None:
    (problem,) = check_for_deploy(project(), "development", [LA, FRA])
    assert problem.message == "development is not deployed"


def test_an_undeclared_environment_names_the_lines_to_add() -> None:
    (problem,) = check_for_deploy(project(), "stagin", [])
    assert problem.path == "envs.stagin"
    assert "did you mean staging?" in problem.hint
    assert '[envs.stagin]\nroute = "shop.example.com"' in problem.hint


def test_without_any_environment_too() -> None:
    (problem,) = check_for_deploy(project("name = 'shop'"), "production", [])
    assert problem.hint == 'add these lines:\n[envs.production]\nroute = "shop.example.com"'


def test_an_environment_without_routes_names_the_line_to_add() -> None:
    (problem,) = check_for_deploy(project("[envs.production]", env="staging"), "production", [])
    assert problem.message.startswith("has no routes")
    assert 'route = "shop.example.com"' in problem.hint


def test_servers_that_are_nowhere_are_all_named() -> None:
    found = check_for_deploy(project(), "production", [Server(name="lax", host="x.example")])
    assert [problem.path for problem in found] == ["servers.la", "servers.fra"]
    assert found[0].hint == "run `tako servers add <host> --name la`; did you mean lax?"


def test_servers_of_other_environments_do_not_matter() -> None:
    text = TEXT + '[servers.lost]\nenv = "staging"\n'
    assert check_for_deploy(project(text), "production", [LA, FRA]) == []
    assert [problem.path for problem in check_for_deploy(project(text), "staging", [LA, FRA])] == ["servers.lost"]


def test_only_the_servers_that_were_asked_for_matter() -> None:
    assert check_for_deploy(project(), "production", [LA], ["la"]) == []
    (problem,) = check_for_deploy(project(), "production", [LA], ["la", "local"])
    assert (problem.path, problem.message) == ("servers.local", "does not run production")


def test_an_environment_without_servers_is_left_to_the_deploy() -> None:
    assert check_for_deploy(project('[envs.production]\nroute = "a.b"'), "production", [LA]) == []


@pytest.mark.parametrize(
    ("env", "only", "names"),
    [
        ("production", (), ["la", "fra", "far"]),
        ("staging", (), ["fra", "local"]),
        ("production", ("fra",), ["fra"]),
        ("development", (), []),
    ],
)
def test_targets_are_the_mapped_servers(env: str, only: tuple[str, ...], names: list[str]) -> None:
    assert [target.server.name for target in targets(project(), env, [LA, FRA], only)] == names


def test_a_target_is_the_inventorys_server_with_the_files_scaling() -> None:
    la, fra, far = targets(project(), "production", [LA, FRA])
    assert la.server is LA
    assert la.placement.instances == 2
    assert fra.server.admin == "root"
    assert far.server == Server(name="far", host="198.51.100.1", port=2200)


LINES = {
    "a server": ("production", (), "servers.la", 8),
    "a server of another environment": ("production", ("local",), "servers.local", 13),
    "an environment without routes": ("development", (), "envs.development", 7),
    "an environment that is not there": ("stagin", (), "envs.stagin", 0),
    "a server that is not there": ("production", ("mars",), "servers.mars", 0),
}


@pytest.mark.parametrize(("env", "only", "path", "line"), LINES.values(), ids=LINES.keys())
def test_what_is_written_has_its_line(env: str, only: tuple[str, ...], path: str, line: int) -> None:
    found = located(check_for_deploy(project(), env, [FRA], only), TEXT)
    assert (found[0].path, found[0].line) == (path, line)


def test_a_key_that_needs_quotes_has_its_line() -> None:
    (problem,) = located([Problem(path='vars."a b"', message="x")], '[vars]\n"a b" = 1\n')
    assert problem.line == 2
