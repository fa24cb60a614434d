"""`tako scale`: more or fewer instances."""

import click

from tako_modules.cli import change
from tako_modules.cli.console import console
from tako_modules.cli.numbers import WholeNumber
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.protocol.messages import Scale

EXAMPLE = "tako scale 2"


@click.command("scale", epilog=f"Example: {EXAMPLE}")
@click.argument("instances", type=WholeNumber(0, 100))
@shared
def command(instances: int) -> None:
    """Change how many instances each server keeps; 0 means on demand."""
    opened = Session(chosen(), console(chosen()))
    change.change_all(opened, "scale", lambda app, fence: Scale(app=app, fence=fence, instances=instances))
