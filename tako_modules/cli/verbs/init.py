"""`tako init`: write a tako.toml that says what was found and, as comments, what else there is."""

from pathlib import Path

import click

from tako_modules.base import text
from tako_modules.base.errors import ConfigError, UsageError
from tako_modules.base.files import disk_errors, write_atomic
from tako_modules.cli import session, setup
from tako_modules.cli.console import Console, console
from tako_modules.cli.options import Options, chosen, shared
from tako_modules.cli.session import Session
from tako_modules.config import read
from tako_modules.model.server import LOCAL
from tako_modules.runtimes import catalog
from tako_modules.workspace.kinds import FILE_KIND, kind_of
from tako_modules.workspace.project import FILE, detect_name, no_file

EXAMPLE = "tako init --name shop --route shop.example.com --server la --yes"

TEMPLATE = """\
# What tako needs to know of this app. All keys: docs/reference/config.md
name = "{name}"
{runtime}
# main = "public"                  # what a static site serves, or what {{main}} in start stands for
# build = "npm run build"          # runs on this machine before every deploy
# release = "bin/migrate"          # runs once per deploy on the first server, before any traffic moves

# [vars]                           # environment of every instance
# LOG_LEVEL = "info"

# [health]                         # without it any answer below 500 to GET / counts as ready
# path = "/status"

[envs.production]
route = "{route}"
{server}"""


@click.command("init", epilog=f"Example: {EXAMPLE}")
@click.option("--name", metavar="NAME", help="The app's name; found in the project when left out.")
@click.option("--route", metavar="HOST", help="Where it answers in production.")
@click.option("--server", metavar="NAME", help="The server that runs it: one of `tako servers ls`, or local.")
@click.option("--runtime", metavar="NAME", help="How it is built and started; found when left out.")
@shared
def command(name: str | None, route: str | None, server: str | None, runtime: str | None) -> None:
    """Write a tako.toml for the app in this folder."""
    options = chosen()
    opened = Session(options, console(options))
    screen = opened.console
    file = options.config or Path.cwd() / FILE
    folder = (Path.cwd() / file).parent.resolve()
    _refuse_taken(file)
    app = text.sanitise_name(name or detect_name(folder) or folder.name) or "app"
    place = setup.find(opened, server or LOCAL).name
    answer = route or _ask_route(f"{app}.localhost", options, screen)
    kind = runtime or _detect(folder, screen)
    written = TEMPLATE.format(name=app, runtime=_runtime_lines(kind), route=answer, server=_server_lines(place))
    read.read_project(written, file.name, folder_name=folder.name)
    with disk_errors(f"write {file}"):
        write_atomic(file, written.encode())
    screen.line(f"wrote {file.name}: app {app}, runtime {kind}, route {answer}")
    if kind != "static":
        screen.line(f"look at `start` in it: it is a guess that a {kind} app has to correct")
    screen.line("next: tako deploy" + (f" --config {options.config}" if options.config else ""))
    screen.emit({"schema": "tako.init/1", "file": str(file), "app": app, "runtime": kind, "route": answer})


def _refuse_taken(file: Path) -> None:
    """Raise ConfigError when the place of the new file is taken, by whatever."""
    kind = kind_of(file)
    if kind == FILE_KIND:
        raise ConfigError(f"{file.name} is here already", hint="edit it, or move it away and run `tako init` again")
    if kind:
        raise no_file(file, kind)


def _ask_route(default: str, options: Options, screen: Console) -> str:
    """Ask where the app shall answer, where somebody can be asked."""
    if options.yes or not session.interactive():
        screen.say(f"no --route was given: {default} is used, which answers on this machine alone")
        return default
    return str(click.prompt("Where shall it answer?", default=default, err=True))


def _detect(folder: Path, screen: Console) -> str:
    """Find the runtime; `command` when the files do not tell, or tell one of a later version."""
    for name, marks in catalog.LATER_MARKS.items():
        if mark := next((mark for mark in marks if (folder / mark).is_file()), ""):
            screen.say(f"{mark} tells that this is a {name} app; this version starts it as a command")
            return "command"
    return next((name for name, runtime in catalog.RUNTIMES.items() if runtime.detect(folder)), "command")


def _runtime_lines(kind: str) -> str:
    if kind not in catalog.RUNTIMES:
        raise UsageError(f"there is no runtime {kind}", hint=f"use --runtime {' or '.join(catalog.RUNTIMES)}")
    if kind == "static":
        return 'runtime = "static"'
    if kind == "python":
        return 'runtime = "python"\nstart = ["uvicorn", "main:app", "--host", "127.0.0.1", "--port", "{port}"]'
    return 'runtime = "command"\nstart = ["./run", "{port}"]         # must listen on $PORT'


def _server_lines(server: str) -> str:
    return f'\n[servers.{server}]                   # `local` is this machine\nenv = "production"\n'
