"""What every runtime answers, and the pieces of a recipe that they share.

A start argv may have `{main}`, replaced here, and `{port}`, replaced on the server. Words that stand alone are replaced
by the server with its own: `{tako}` by the argv of its tako, `{pip}` by that of the pip in it, `{python}` by python3.
"""

from pathlib import Path
from typing import Protocol

from tako_modules.base.errors import ConfigError
from tako_modules.model.project import Project
from tako_modules.model.release import Recipe

__all__ = ["PIP", "PYTHON", "TAKO", "Runtime", "start_argv"]

TAKO, PIP, PYTHON = "{tako}", "{pip}", "{python}"


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

    def check_built(self, project: Project, folder: Path) -> None:
        """Raise ConfigError when the build did not make what the app is started from."""
        ...

    def recipe(self, project: Project, folder: Path) -> Recipe:
        """Say how a release is installed and started; called after the build. Raises ConfigError."""
        ...


def start_argv(project: Project, runtime: str, example: str) -> tuple[str, ...]:
    """Give the project's `start` with `{main}` replaced; raises ConfigError when it, or main, is missing."""
    start = project.web.start
    if not start:
        raise ConfigError(f"start is missing: the runtime {runtime} needs it", hint=f"add to tako.toml: {example}")
    if not project.main and any("{main}" in word for word in start):
        raise ConfigError("start names {main}, but main is missing", hint='add to tako.toml: main = "…"')
    return tuple(word.replace("{main}", project.main) for word in start)
