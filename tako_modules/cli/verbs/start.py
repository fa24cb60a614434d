"""`tako start`: a stopped deployment serves again."""

import click

from tako_modules.cli import change
from tako_modules.cli.console import console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.protocol.messages import Start

EXAMPLE = "tako start"


@click.command("start", epilog=f"Example: {EXAMPLE}")
@shared
def command() -> None:
    """Start a stopped deployment again."""
    opened = Session(chosen(), console(chosen()))
    change.change_all(opened, "start", lambda app, fence: Start(app=app, fence=fence))
