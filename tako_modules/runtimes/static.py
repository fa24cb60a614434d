"""Runtime `static`: a folder of files, served by tako itself as the app's user (see `files_app`)."""

from pathlib import Path

from tako_modules.base.errors import ConfigError
from tako_modules.config.problems import Problem
from tako_modules.model.project import Project
from tako_modules.model.release import Recipe

from .recipe import TAKO, Need

__all__ = ["FOLDERS", "build_command", "check_built", "detect", "excluded", "needs", "recipe", "refuses"]

FOLDERS = ("public", "dist", "build", ".")  # where sites are, most likely first
INDEX = "index.html"


def detect(folder: Path) -> bool:
    """Recognise a site by an index.html at one of the usual places."""
    return any((folder / name / INDEX).is_file() for name in FOLDERS)


def build_command(folder: Path) -> str:
    """Give no command: what makes a site is not known from its files."""
    return ""


def excluded(project: Project, folder: Path) -> tuple[str, ...]:
    """Leave out what would be served to everybody when the site is the project's own folder."""
    return ("/tako.toml",)


def refuses(project: Project) -> Problem | None:
    """Refuse nothing: tako serves the files, and where they are shows after the build."""
    return None


def check_built(project: Project, folder: Path) -> None:
    """Look for a folder with at least one file in it."""
    name = _folder(project, folder)
    site = folder / name
    if not site.is_dir() or next(site.iterdir(), None) is None:
        hint = "set main in tako.toml to the folder of the site, or correct the build that should fill it"
        raise ConfigError(f"there is nothing to serve: {name}/ has no file after the build", hint=hint)
    if not project.main and name == "." and not (site / INDEX).is_file():
        places = ", ".join(f"{place}/" for place in FOLDERS[:-1])
        hint = 'set main in tako.toml to the folder of the site; main = "." serves the whole project'
        raise ConfigError(f"there is nothing to serve: no {places} and no {INDEX}", hint=hint)


def needs(project: Project, folder: Path) -> Need | None:
    """Need the index of the site, or the folder where it has none."""
    name = _folder(project, folder)
    index = INDEX if name == "." else f"{name}/{INDEX}"
    path = index if (folder / index).is_file() else name
    return Need(path=path, glob=path if name == "." else f"{name}/**")


def recipe(project: Project, folder: Path) -> Recipe:
    """Serve the folder, or start the project's own argv where it has one."""
    start = project.web.start or (TAKO, "__static__", "{main}")
    name = _folder(project, folder)
    argv = tuple(word.replace("{main}", name) for word in start)
    return Recipe(runtime="static", start=argv, health=project.web.health)


def _folder(project: Project, folder: Path) -> str:
    """Choose `main`, else the first usual folder with an index.html, else the first one that is there."""
    if project.main:
        return project.main.rstrip("/") or "."
    with_index = [name for name in FOLDERS if (folder / name / INDEX).is_file()]
    present = [name for name in FOLDERS if (folder / name).is_dir()]
    return (with_index or present)[0]
