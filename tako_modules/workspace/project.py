"""Find and read the project that a command is about."""

import json
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import tomli

from tako_modules.base.errors import ConfigError, translate
from tako_modules.base.files import write_atomic
from tako_modules.config import edit, read
from tako_modules.model.project import Project

from .kinds import FILE_KIND, kind_of

__all__ = [
    "FILE",
    "Workspace",
    "detect_name",
    "find_file",
    "map_server",
    "no_file",
    "open_project",
    "read_text",
    "with_server",
]

FILE = "tako.toml"
_TEXT_LIMIT = 1 << 20  # bytes of a file that a person writes; more is another file by mistake
_MODULE = re.compile(r"^module\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project on this machine: its folder, the file that describes it, the text in it, and what that says."""

    folder: Path
    file: Path
    text: str
    project: Project


def open_project(cwd: Path, config: Path | None = None, *, env: str = "") -> Workspace:
    """Read the project of `config`, or the one around `cwd`.

    env: the only environment that the command uses, "" for all. Raises ConfigError.
    """
    file = find_file(cwd, config)
    return _workspace(file, read_text(file), env)


def _workspace(file: Path, text: str, env: str) -> Workspace:
    folder = file.parent
    project = read.read_project(text, file.name, folder_name=folder.name, detected_name=detect_name(folder), env=env)
    return Workspace(folder, file, text, project)


def find_file(cwd: Path, config: Path | None = None) -> Path:
    """Find the file: `config` itself, else tako.toml in `cwd` or the nearest folder above it."""
    if config is not None:
        file = (cwd / config).absolute()
        kind = kind_of(file)
        if kind != FILE_KIND:
            what = f"it is {kind}" if kind else "there is nothing of that name"
            raise ConfigError(f"{config} is not a file: {what}", hint=f"name a file such as {FILE} with --config")
        return file.resolve()
    start = cwd.resolve()
    for folder in (start, *start.parents):
        kind = kind_of(folder / FILE)
        if kind == FILE_KIND:
            return folder / FILE
        if kind:
            raise no_file(folder / FILE, kind)
    raise ConfigError(f"there is no {FILE} in {start} or above it", hint="run `tako init` to write one")


def no_file(path: Path, kind: str) -> ConfigError:
    """Say that something else stands where tako.toml is meant to be."""
    init = "tako init" if path.name == FILE else f"tako init --config {path.name}"
    return ConfigError(f"{path} is {kind}, not a file", hint=f"remove or rename it, then run `{init}`")


def read_text(file: Path) -> str:
    """Read a file that a person wrote; raises ConfigError with the line of what is not UTF-8."""
    kind = kind_of(file)
    if kind not in ("", FILE_KIND):  # a pipe would be waited for without end
        raise ConfigError(f"{file.name} is {kind}, not a file", hint=f"remove or rename {file}")
    with translate({OSError: ConfigError}, f"cannot read {file.name}"), open(file, "rb") as stream:
        data = stream.read(_TEXT_LIMIT + 1)
    if len(data) > _TEXT_LIMIT:
        raise ConfigError(f"{file.name} is larger than {_TEXT_LIMIT} bytes", hint="is it the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file.name}:{line}: not UTF-8", hint="save the file as UTF-8") from error


def with_server(workspace: Workspace, server: str, env: str) -> Workspace:
    """Give the project as it would be with a server that runs an environment; nothing is written.

    Raises ConfigError, whose hint has the lines to add by hand, when that cannot be.
    """
    return _workspace(workspace.file, edit.add_server_mapping(read_text(workspace.file), server, env), env)


def map_server(workspace: Workspace, server: str, env: str) -> Workspace:
    """Write into the project's file that a server runs an environment, comments and order kept; gives it as it is then.

    Raises ConfigError as `with_server` does.
    """
    mapped = with_server(workspace, server, env)
    file = workspace.file.resolve()  # a link stays a link
    with translate({OSError: ConfigError}, f"cannot write {workspace.file.name}"):
        write_atomic(file, mapped.text.encode(), stat.S_IMODE(file.stat().st_mode))
    return mapped


def detect_name(folder: Path) -> str:
    """Find what the project calls itself: package.json, then pyproject.toml, then go.mod; "" when none does."""
    return _package_name(folder) or _pyproject_name(folder) or _module_name(folder)


def _package_name(folder: Path) -> str:
    try:
        table = json.loads(_optional(folder / "package.json") or "null")
    except ValueError:
        return ""  # another tool's file: that it is broken is that tool's to say
    name = table.get("name") if isinstance(table, dict) else None
    return name if isinstance(name, str) else ""


def _pyproject_name(folder: Path) -> str:
    try:
        table = tomli.loads(_optional(folder / "pyproject.toml")).get("project")
    except tomli.TOMLDecodeError:
        return ""
    name = table.get("name") if isinstance(table, dict) else None
    return name if isinstance(name, str) else ""


def _module_name(folder: Path) -> str:
    found = _MODULE.search(_optional(folder / "go.mod"))
    if not found:
        return ""
    parts = found[1].strip('"').split("/")
    return parts[-2] if len(parts) > 1 and re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def _optional(file: Path) -> str:
    try:
        return read_text(file) if file.is_file() else ""
    except ConfigError:
        return ""
