"""Runtime `python`: a virtual environment in the release, filled by the pip in tako, and the project's `start`.

No build of a package runs on the server (`--only-binary :all:`), and every file that is installed is one whose hash the
project has committed (`--require-hashes`).
"""

import re
from pathlib import Path

import tomli

from tako_modules.base.errors import ConfigError
from tako_modules.config.problems import Problem
from tako_modules.model.project import Project
from tako_modules.model.release import Recipe

from .recipe import PIP, PYTHON, Need, main_need, start_argv, start_problem
from .requirements import COMPILE, check_hashes

__all__ = ["build_command", "check_built", "detect", "excluded", "needs", "recipe", "refuses"]

REQUIREMENTS = "requirements.txt"
_EXAMPLE = 'start = ["uvicorn", "app:app", "--host", "127.0.0.1", "--port", "{port}"]'
_MARKS = (REQUIREMENTS, "pyproject.toml", "uv.lock", "requirements.in", "Pipfile", "setup.py")
_VENV = (PYTHON, "-m", "venv", "--without-pip", ".venv")
_INSTALL = (
    *(PIP, "--python", ".venv/bin/python", "--disable-pip-version-check", "--no-input"),
    *("install", "--require-hashes", "--only-binary", ":all:", "--progress-bar", "off", "-r", REQUIREMENTS),
)


def detect(folder: Path) -> bool:
    """Recognise the files of Python's packaging tools."""
    return any((folder / name).is_file() for name in _MARKS)


def build_command(folder: Path) -> str:
    """Give no command: dependencies are installed on the server."""
    return ""


def excluded(project: Project, folder: Path) -> tuple[str, ...]:
    """Leave out virtual environments and what interpreters and checkers keep."""
    return (".venv/", "venv/", "__pycache__/", "*.py[co]", ".mypy_cache/", ".pytest_cache/", ".ruff_cache/", ".tox/")


def refuses(project: Project) -> Problem | None:
    """Ask for a start."""
    return start_problem(project, "python", _EXAMPLE)


def check_built(project: Project, folder: Path) -> None:
    """Look for `main` where the project names one, and for hashes in requirements.txt."""
    if project.main and not (folder / project.main).exists():
        hint = "correct main, or the build that should make it"
        raise ConfigError(f"main is {project.main}, which is not there after the build", hint=hint)
    if (folder / REQUIREMENTS).is_file():
        check_hashes(folder)
    elif source := _dependencies(folder):
        hint = f"write {REQUIREMENTS} with `{COMPILE} {source} -o {REQUIREMENTS}`, and commit it"
        raise ConfigError(f"{source} has dependencies, but there is no {REQUIREMENTS} with their hashes", hint=hint)


def needs(project: Project, folder: Path) -> Need | None:
    """Need `main`, where the project names one."""
    return main_need(project, folder)


def recipe(project: Project, folder: Path) -> Recipe:
    """Make `.venv`, fill it, and start the project's argv with its programs first on PATH."""
    return Recipe(
        runtime="python",
        install=(_VENV, _INSTALL) if (folder / REQUIREMENTS).is_file() else (_VENV,),
        start=start_argv(project, "python", _EXAMPLE),
        path=(".venv/bin",),
        env={"PYTHONUNBUFFERED": "1"},
        health=project.web.health,
    )


def _dependencies(folder: Path) -> str:
    """Name the file that lists dependencies without hashes; "" when there are none."""
    try:
        table = tomli.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        table = {}
    if isinstance(table, dict) and table.get("dependencies"):
        return "pyproject.toml"
    try:
        listed = (folder / "requirements.in").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    return "requirements.in" if re.search(r"^\s*[^#\s]", listed, re.MULTILINE) else ""
