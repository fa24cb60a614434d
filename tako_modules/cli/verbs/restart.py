"""`tako restart`: new instances of the serving release."""

import click

from tako_modules.cli import change
from tako_modules.cli.console import console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.protocol.messages import Restart

EXAMPLE = "tako restart"


@click.command("restart", epilog=f"Example: {EXAMPLE}")
@shared
def command() -> None:
    """Replace all instances of the serving release, without losing a request."""
    opened = Session(chosen(), console(chosen()))
    change.change_all(opened, "restart", lambda app, fence: Restart(app=app, fence=fence))
