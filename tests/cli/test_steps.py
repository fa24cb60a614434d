"""What `--plan` lists: the stages of every server, and what one of them does for all once."""

import pytest

from tako_modules.cli import steps
from tako_modules.deploy.target import Target
from tako_modules.model.project import Project
from tako_modules.model.release import Recipe
from tako_modules.model.server import Server

RECIPE = Recipe(runtime="command", start=("true",))


def plan(release: str, *names: str) -> list[str]:
    """Plan a deploy of a project to servers."""
    targets = [Target(server=Server(name=name, host=name)) for name in names]
    return steps.plan(Project(name="shop", release=release), "production", targets, "", RECIPE)


@pytest.mark.parametrize(
    ("names", "start"), [(("la",), "la: run"), (("la", "nyc", "fra"), "run")], ids=["one", "three"]
)
def test_the_release_command_is_listed_once(names: tuple[str, ...], start: str) -> None:
    lines = plan("bin/migrate", *names)
    [release] = [line for line in lines if "bin/migrate" in line]
    assert release.startswith(start)
    assert lines.index(release) < min(lines.index(line) for line in lines if "start first" in line)


def test_each_server_has_its_own_stages() -> None:
    lines = plan("", "la", "nyc")
    assert lines[0] == "build shop"
    assert [line.removeprefix("la") for line in lines[1:6]] == [line.removeprefix("nyc") for line in lines[6:]]
