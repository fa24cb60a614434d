"""`tako servers upgrade`: not in this version."""

import click

from tako_modules.base.errors import UsageError
from tako_modules.cli.options import shared

EXAMPLE = "tako servers upgrade la"


@click.command("upgrade", epilog=f"Example: {EXAMPLE}")
@click.argument("name", default="")
@shared
def command(name: str) -> None:
    """Replace the program of a server while it serves; comes with a later version."""
    raise UsageError(
        "servers are upgraded in place by a later version of tako",
        hint="until then a server keeps its version, or is made anew: `tako servers uninstall`, `tako servers add`",
    )
