"""`tako servers ls`: the servers of your inventory."""

import click
import msgspec

from tako_modules.cli.console import console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session

EXAMPLE = "tako servers ls"
SCHEMA = "tako.servers.ls/1"


@click.command("ls", epilog=f"Example: {EXAMPLE}")
@shared
def command() -> None:
    """List the servers that you added, and the built-in one."""
    opened = Session(chosen(), console(chosen()))
    servers = opened.inventory()
    rows = [(one.name, one.address, one.arch, one.python, one.description) for one in servers]
    opened.console.table(("name", "address", "arch", "python", "description"), rows)
    opened.console.emit({"schema": SCHEMA, "servers": msgspec.to_builtins(servers)})
