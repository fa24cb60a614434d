"""`tako delete`: take a deployment away."""

import click

from tako_modules.base.text import size_text
from tako_modules.cli import change, session
from tako_modules.cli.console import Console, console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.protocol.messages import Delete
from tako_modules.protocol.replies import DeletedData

EXAMPLE = "tako delete --env staging --yes"


@click.command("delete", epilog=f"Example: {EXAMPLE}")
@click.option("--purge", is_flag=True, help="Delete the app's data too, instead of moving it to the trash.")
@shared
def command(purge: bool) -> None:
    """Take the app away from its servers: instances, releases and routes; its data moves to the trash."""
    options = chosen()
    opened = Session(options, console(options))
    app, targets = opened.deployed()
    also = " and all its data" if purge else ""
    session.confirm(options, f"Delete {app}{also} on {', '.join(target.name for target in targets)}?")

    def make(app: str, fence: int) -> Delete:
        return Delete(app=app, fence=fence, purge=purge)

    results = change.send_all(opened, app, targets, make, DeletedData, doing=f"deleting {app}")
    change.report(opened.console, "delete", app, results, _tell)


def _tell(screen: Console, server: str, done: DeletedData) -> None:
    if not done.existed:
        screen.line(f"{done.app} was not deployed on {server}")
        return
    screen.line(f"{done.app} is deleted on {server}")
    if done.trash:
        screen.line(f"  its data ({size_text(done.trash_bytes)}) is in {done.trash}")
