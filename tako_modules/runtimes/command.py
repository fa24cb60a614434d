"""Runtime `command`: whatever listens on $PORT; what the project's `start` says is started, nothing is installed."""

from pathlib import Path

from tako_modules.base.errors import ConfigError
from tako_modules.config.problems import Problem
from tako_modules.model.project import Project
from tako_modules.model.release import Recipe

from .recipe import Need, main_need, start_argv, start_problem

__all__ = ["build_command", "check_built", "detect", "excluded", "needs", "recipe", "refuses"]

_EXAMPLE = 'start = ["./server", "--port", "{port}"]'


def detect(folder: Path) -> bool:
    """Recognise nothing: any project may be started by a command, so it is only ever chosen."""
    return False


def build_command(folder: Path) -> str:
    """Give no command: only the project knows."""
    return ""


def excluded(project: Project, folder: Path) -> tuple[str, ...]:
    """Leave nothing out."""
    return ()


def refuses(project: Project) -> Problem | None:
    """Ask for a start."""
    return start_problem(project, "command", _EXAMPLE)


def check_built(project: Project, folder: Path) -> None:
    """Look for `main`, where the project names one."""
    if project.main and not (folder / project.main).exists():
        hint = "correct main, or the build that should make it"
        raise ConfigError(f"main is {project.main}, which is not there after the build", hint=hint)


def needs(project: Project, folder: Path) -> Need | None:
    """Need `main`, where the project names one."""
    return main_need(project, folder)


def recipe(project: Project, folder: Path) -> Recipe:
    """Start what the project says."""
    return Recipe(runtime="command", start=start_argv(project, "command", _EXAMPLE), health=project.web.health)
