"""`tako servers rm`: forget a server; the machine stays as it is."""

import click

from tako_modules.base import paths
from tako_modules.base.errors import UsageError
from tako_modules.cli import setup
from tako_modules.cli.console import console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.model.server import LOCAL, SSH_PORT
from tako_modules.workspace import inventory

EXAMPLE = "tako servers rm la"
SCHEMA = "tako.servers.rm/1"


@click.command("rm", epilog=f"Example: {EXAMPLE}")
@click.argument("name")
@shared
def command(name: str) -> None:
    """Take a server out of your inventory; nothing changes on the machine."""
    opened = Session(chosen(), console(chosen()))
    if name == LOCAL:
        raise UsageError(
            "the built-in server cannot be removed from the list",
            hint="run `tako servers uninstall local` to remove all it has",
        )
    server = setup.find(opened, name)
    inventory.remove_server(paths.home(), name)
    login = f"{server.admin or server.user}@{server.host}"
    port = "" if server.port == SSH_PORT else f" --port {server.port}"
    again = f"tako servers add {login}{port} --name {name}"
    opened.console.say(f"the machine runs on as before; take it back with `{again}`")
    opened.console.line(f"{name} is no longer in your inventory")
    opened.console.emit({"schema": SCHEMA, "name": name})
