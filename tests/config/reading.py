"""Reading a tako.toml, and its problems as one line each."""

import pytest

from tako_modules.config.problems import BadConfig
from tako_modules.config.read import read_project
from tako_modules.model.project import Project

__all__ = ["problems", "read"]


def read(text: str, env: str = "") -> Project:
    """Read the file of a folder `shop`; env: for a command that uses only this environment."""
    return read_project(text, "tako.toml", folder_name="shop", env=env)


def problems(text: str, env: str = "") -> list[str]:
    """Read a file that is wrong: line, place and message of each problem."""
    with pytest.raises(BadConfig) as caught:
        read(text, env)
    return [f"{problem.line}: {problem.path}: {problem.message}" for problem in caught.value.problems]
