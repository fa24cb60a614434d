"""From a project to the file that travels: `.tako/build/<version>.tar.gz`."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio.to_thread
import msgspec

from tako_modules.base.errors import ConfigError
from tako_modules.base.files import disk_errors, file_digest
from tako_modules.base.ids import token
from tako_modules.config.problems import Problem
from tako_modules.model.project import Project
from tako_modules.model.release import Recipe
from tako_modules.runtimes import catalog
from tako_modules.runtimes.recipe import Need, Runtime
from tako_modules.workspace.lock import project_lock
from tako_modules.workspace.state import State

from .archive import pack
from .git import read_repository
from .outputs import build
from .selection import Shipment
from .source import Entry, Rules
from .version import content_digest, version_name

__all__ = ["Artifact", "foresee", "make", "refused"]

KEPT = 5  # artifacts in .tako/build: as many as a server keeps good releases


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A packed build; size in bytes and SHA-256 of the file; recipe: how a server installs and starts it.

    left_out: sentences about pipes, sockets and devices among the files, which are not shipped; other_name: its version
    on a server that has another build of the same commit under the first one, "" where the version tells the content.
    """

    version: str
    path: Path
    size: int
    sha256: str
    files: int
    recipe: Recipe
    left_out: tuple[str, ...] = ()
    other_name: str = ""


async def make(
    project: Project, folder: Path, report: Callable[[str], None], *, config: str = "", repeats: bool = True
) -> Artifact:
    """Build a project, choose its files, name and pack them; `report` gets every line that the build prints.

    config: the file in the folder that the project was read from, "" where there is none; repeats: whether the error of
    a failed build has its last lines.
    Raises TakoError, ConfigError where the project is to blame; a failed build leaves the artifacts as they were.
    """
    state = State(folder)
    with project_lock(state):
        _, runtime = catalog.choose(project, folder)
        command, rules = _build_command(project, folder, runtime), _rules(project, folder, runtime)
        built = await build(command, folder, rules, report, repeats=repeats)
        runtime.check_built(project, folder)
        recipe = runtime.recipe(project, folder)
        shipment = Shipment(folder, built, await read_repository(folder), _rules(project, folder, runtime), config)
        entries = await anyio.to_thread.run_sync(_choose, shipment, runtime.needs(project, folder))
        return await anyio.to_thread.run_sync(_pack, shipment, entries, state, recipe, _settings(project, recipe))


def refused(project: Project, folder: Path) -> list[Problem]:
    """Tell what keeps a project from being built and started, as far as this shows before its build."""
    try:
        _, runtime = catalog.choose(project, folder)
    except ConfigError as error:
        return [Problem(path="runtime", message=error.message, hint=error.hint)]
    problem = runtime.refuses(project)
    found = [problem] if problem else []
    if not _build_command(project, folder, runtime):
        try:
            runtime.check_built(project, folder)
        except ConfigError as error:
            found.append(Problem(path="runtime", message=error.message, hint=error.hint))
    return found


def foresee(project: Project, folder: Path) -> tuple[str, Recipe]:
    """Tell the build command ("": there is none) and the recipe that `make` would use, changing nothing."""
    _, runtime = catalog.choose(project, folder)
    return _build_command(project, folder, runtime), runtime.recipe(project, folder)


def _rules(project: Project, folder: Path, runtime: Runtime) -> Rules:
    return Rules(folder, project.include, (*project.exclude, *runtime.excluded(project, folder)))


def _build_command(project: Project, folder: Path, runtime: Runtime) -> str:
    return runtime.build_command(folder) if project.build is None else project.build


def _settings(project: Project, recipe: Recipe) -> bytes:
    """Give what a server is told beside the files: it may change where no file that is shipped does."""
    return msgspec.json.encode((recipe, project.vars, [one.vars for one in project.environments]))


def _choose(shipment: Shipment, need: Need | None) -> tuple[Entry, ...]:
    entries = shipment.entries()
    if not entries:
        raise ConfigError("there is no file to ship", hint="look at .gitignore, .takoignore and exclude in tako.toml")
    if need is not None:
        shipment.check_shipped(need, entries)
    return entries


def _pack(shipment: Shipment, entries: Sequence[Entry], state: State, recipe: Recipe, settings: bytes) -> Artifact:
    beside = state.build / f".{token()}.tar.gz"
    try:
        pack(shipment.folder, entries, beside)
        digest = file_digest(beside)
        earlier = state.build / f"{shipment.commit}.tar.gz"
        by_content = version_name(shipment.commit, content_digest(shipment.folder, entries, settings))
        clean = shipment.is_clean(entries) and (not earlier.exists() or file_digest(earlier) == digest)
        version = shipment.commit if clean else by_content  # so is a commit whose build gives other files than before
        path = state.build / f"{version}.tar.gz"
        with disk_errors(f"write {path}"):
            beside.replace(path)
            os.utime(path)
    finally:
        beside.unlink(missing_ok=True)
    _collect(state.build)
    return Artifact(
        version=version,
        path=path,
        size=path.stat().st_size,
        sha256=digest,
        files=len(entries),
        recipe=recipe,
        left_out=shipment.left_out(),
        other_name=by_content if clean else "",
    )


def _collect(build: Path) -> None:
    """Keep the newest artifacts only; what a killed run left goes too."""
    packed = sorted(build.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in [*packed[KEPT:], *(path for path in packed if path.name.startswith("."))]:
        path.unlink(missing_ok=True)
