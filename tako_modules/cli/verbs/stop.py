"""`tako stop`: end all instances, and keep it so."""

import click

from tako_modules.cli import change, session
from tako_modules.cli.console import Console, console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.protocol.messages import Stop
from tako_modules.protocol.replies import StoppedData

EXAMPLE = "tako stop --yes"


@click.command("stop", epilog=f"Example: {EXAMPLE}")
@shared
def command() -> None:
    """Stop the app; it stays stopped over restarts of the server, until `tako start` or `tako deploy`."""
    options = chosen()
    opened = Session(options, console(options))
    app, targets = opened.deployed()
    session.confirm(options, f"Stop {app} on {', '.join(target.name for target in targets)}?")
    results = change.send_all(
        opened, app, targets, lambda app, fence: Stop(app=app, fence=fence), StoppedData, doing=f"stopping {app}"
    )
    change.report(opened.console, "stop", app, results, _tell)


def _tell(screen: Console, server: str, done: StoppedData) -> None:
    screen.line(f"{done.app} is stopped on {server}")
