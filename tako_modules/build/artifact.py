"""From a project to the file that travels: `.tako/build/<version>.tar.gz`."""

import os
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import msgspec

from tako_modules.base.errors import ConfigError
from tako_modules.base.files import disk_errors, file_digest
from tako_modules.base.ids import token
from tako_modules.model.project import Project
from tako_modules.model.release import Recipe
from tako_modules.runtimes import catalog
from tako_modules.runtimes.recipe import Runtime
from tako_modules.workspace.lock import project_lock
from tako_modules.workspace.state import State

from .archive import pack
from .git import read_repository
from .run import run_build
from .selection import Shipment
from .source import Rules
from .tree import Tree, changed, walk
from .version import content_digest, version_name

__all__ = ["Artifact", "foresee", "make"]

KEPT = 5  # artifacts in .tako/build: as many as a server keeps good releases


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A packed build; size in bytes and SHA-256 of the file; recipe: how a server installs and starts it.

    left_out: sentences about pipes, sockets and devices among the files, which are not shipped.
    """

    version: str
    path: Path
    size: int
    sha256: str
    files: int
    recipe: Recipe
    left_out: tuple[str, ...] = ()


async def make(project: Project, folder: Path, report: Callable[[str], None]) -> Artifact:
    """Build a project, choose its files, name and pack them; `report` gets every line that the build prints.

    Raises TakoError, ConfigError where the project is to blame; a failed build leaves the artifacts as they were.
    """
    state = State(folder)
    with project_lock(state):
        _, runtime = catalog.choose(project, folder)
        tree, made = await _build(project, folder, runtime, report)
        runtime.check_built(project, folder)
        recipe = runtime.recipe(project, folder)
        shipment = Shipment(folder, tree, made, await read_repository(folder), _rules(project, folder, runtime))
        settings = _settings(project, recipe)
        return await anyio.to_thread.run_sync(_pack, shipment, state, recipe, settings)


def foresee(project: Project, folder: Path) -> tuple[str, Recipe]:
    """Tell the build command ("": there is none) and the recipe that `make` would use, changing nothing."""
    _, runtime = catalog.choose(project, folder)
    return _build_command(project, folder, runtime), runtime.recipe(project, folder)


def _rules(project: Project, folder: Path, runtime: Runtime) -> Rules:
    return Rules(folder, project.include, (*project.exclude, *runtime.excluded(project, folder)))


def _build_command(project: Project, folder: Path, runtime: Runtime) -> str:
    return runtime.build_command(folder) if project.build is None else project.build


async def _build(
    project: Project, folder: Path, runtime: Runtime, report: Callable[[str], None]
) -> tuple[Tree, tuple[str, ...]]:
    """Run the build command, if any; gives the files that are there afterwards, and those of them that it made."""
    command = _build_command(project, folder, runtime)
    enters = _rules(project, folder, runtime).enters
    before = await anyio.to_thread.run_sync(walk, folder, enters)
    if not command:
        return before, ()
    await run_build(command, folder, report)
    after = await anyio.to_thread.run_sync(walk, folder, enters)
    return after, changed(before, after)


def _settings(project: Project, recipe: Recipe) -> bytes:
    """Give what a server is told beside the files: it may change where no file that is shipped does."""
    return msgspec.json.encode((recipe, project.vars, [one.vars for one in project.environments]))


def _pack(shipment: Shipment, state: State, recipe: Recipe, settings: bytes) -> Artifact:
    outputs = shipment.outputs(state.read_outputs())
    state.write_outputs(outputs)
    entries = shipment.entries(outputs)
    if not entries:
        raise ConfigError("there is no file to ship", hint="look at .gitignore, .takoignore and exclude in tako.toml")
    beside = state.build / f".{token()}.tar.gz"
    try:
        pack(shipment.folder, entries, beside)
        digest = file_digest(beside)
        earlier = state.build / f"{shipment.commit}.tar.gz"
        if shipment.is_clean(outputs, entries) and (not earlier.exists() or file_digest(earlier) == digest):
            version = shipment.commit
        else:  # also of a commit whose build gives other files than it did before
            version = version_name(shipment.commit, content_digest(shipment.folder, entries, settings))
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
    )


def _collect(build: Path) -> None:
    """Keep the newest artifacts only; what a killed run left goes too."""
    packed = sorted(build.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in [*packed[KEPT:], *(path for path in packed if path.name.startswith("."))]:
        path.unlink(missing_ok=True)
