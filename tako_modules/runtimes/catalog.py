"""The runtimes that there are, and which one a project has."""

from pathlib import Path

from tako_modules.base.errors import ConfigError
from tako_modules.config.schema import LATER_RUNTIMES
from tako_modules.model.project import Project

from . import command, python, static
from .recipe import Runtime

__all__ = ["LATER_MARKS", "RUNTIMES", "choose"]

RUNTIMES: dict[str, Runtime] = {"python": python, "static": static, "command": command}

LATER_MARKS: dict[str, tuple[str, ...]] = {
    # runtime of a later version → files that tell it; looked for before the runtimes above, as they will be then
    "bun": ("bun.lock", "bun.lockb", "bunfig.toml"),
    "deno": ("deno.json", "deno.jsonc", "deno.lock"),
    "node": ("package.json",),
    "go": ("go.mod",),
}


def choose(project: Project, folder: Path) -> tuple[str, Runtime]:
    """Give the runtime that the project names, else the one that its files tell, else `command` where it has a start.

    Raises ConfigError when there is none, or when it comes with a later version.
    """
    if project.runtime:
        if project.runtime in RUNTIMES:
            return project.runtime, RUNTIMES[project.runtime]
        raise _missing(project.runtime, f"the runtime {project.runtime}")
    for name, marks in LATER_MARKS.items():
        if mark := next((mark for mark in marks if (folder / mark).is_file()), ""):
            raise _missing(name, f"{mark} is here, so this is a {name} app; {name}")
    for name, runtime in RUNTIMES.items():
        if runtime.detect(folder):
            return name, runtime
    if project.web.start:
        return "command", command
    hint = f'add to tako.toml: runtime = "command" and a start, or one of: {", ".join(RUNTIMES)}'
    raise ConfigError("the files do not tell how this app is started", hint=hint)


def _missing(runtime: str, what: str) -> ConfigError:
    if runtime not in LATER_RUNTIMES:
        return ConfigError(f"{what} is not known", hint=f"known: {', '.join(RUNTIMES)}")
    hint = 'until then add to tako.toml: runtime = "command" with a start, or "static" for a site that is built already'
    return ConfigError(f"{what} comes with version {LATER_RUNTIMES[runtime]} of tako", hint=hint)
