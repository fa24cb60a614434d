"""`tako rollback`: go back to an earlier deployment."""

import click

from tako_modules.cli import change
from tako_modules.cli.console import console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.protocol.messages import Rollback

EXAMPLE = "tako rollback --env production"


@click.command("rollback", epilog=f"Example: {EXAMPLE}")
@click.argument("version", default="", metavar="[VERSION|ID]")
@shared
def command(version: str) -> None:
    """Go back to the last good deployment that is not running, or to the one that is named."""
    opened = Session(chosen(), console(chosen()))
    change.change_all(opened, "rollback", lambda app, fence: Rollback(app=app, fence=fence, version=version))
