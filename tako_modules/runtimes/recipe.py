"""What every runtime answers, and the pieces of a recipe that they share.

A start argv may have `{main}`, replaced here, and `{port}`, replaced on the server. Words that stand alone are replaced
by the server with its own: `{tako}` by the argv of its tako, `{pip}` by that of the pip in it, `{python}` by python3.
"""

from pathlib import Path
from typing import Protocol

import msgspec

from tako_modules.base.errors import ConfigError
from tako_modules.config.problems import Problem
from tako_modules.model.project import Project
from tako_modules.model.release import Recipe

__all__ = ["PIP", "PYTHON", "TAKO", "Need", "Runtime", "main_need", "start_argv", "start_problem"]

TAKO, PIP, PYTHON = "{tako}", "{pip}", "{python}"


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder that has to be in the artifact; glob: what `include` names to have all of it there."""

    path: str
    glob: str


class Runtime(Protocol):
    """One kind of app; a module of this room."""

    def detect(self, folder: Path) -> bool:
        """Tell whether the files look like this kind of app."""
        ...

    def build_command(self, folder: Path) -> str:
        """Give the shell command that builds it when the project names none; "" for none."""
        ...

    def excluded(self, project: Project, folder: Path) -> tuple[str, ...]:
        """Give patterns, as in .gitignore, of files that are of no use on a server."""
        ...

    def refuses(self, project: Project) -> Problem | None:
        """Tell what is wrong with the settings, as far as this shows before the build."""
        ...

    def check_built(self, project: Project, folder: Path) -> None:
        """Raise ConfigError when the build did not make what the app is started from."""
        ...

    def needs(self, project: Project, folder: Path) -> Need | None:
        """Tell what the app is started from, if that is known; called after `check_built`."""
        ...

    def recipe(self, project: Project, folder: Path) -> Recipe:
        """Say how a release is installed and started; called after the build. Raises ConfigError."""
        ...


def start_problem(project: Project, runtime: str, example: str) -> Problem | None:
    """Tell what is wrong with the project's `start`: that it, or the main that it names, is missing."""
    start = project.web.start
    if not start:
        return Problem(
            path="start", message=f"is missing: the runtime {runtime} needs it", hint=f"add to tako.toml: {example}"
        )
    if not project.main and any("{main}" in word for word in start):
        return Problem(path="start", message="names {main}, but main is missing", hint='add to tako.toml: main = "…"')
    return None


def start_argv(project: Project, runtime: str, example: str) -> tuple[str, ...]:
    """Give the project's `start` with `{main}` replaced; raises ConfigError when it, or main, is missing."""
    if problem := start_problem(project, runtime, example):
        raise ConfigError(f"{problem.path} {problem.message}", hint=problem.hint)
    return tuple(word.replace("{main}", project.main) for word in project.web.start)


def main_need(project: Project, folder: Path) -> Need | None:
    """Need `main`, where the project names one."""
    if not project.main:
        return None
    inside = "/**" if (folder / project.main).is_dir() else ""
    return Need(path=project.main, glob=project.main.rstrip("/") + inside)
