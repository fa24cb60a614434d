"""`tako releases`: what can be gone back to."""

import click

from tako_modules.base.clock import utc_text
from tako_modules.base.errors import TakoError
from tako_modules.base.text import size_text
from tako_modules.cli import change, session
from tako_modules.cli.console import Console, console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.deploy.target import Connection, Target
from tako_modules.protocol.messages import ListReleases
from tako_modules.protocol.replies import ReleasesData

EXAMPLE = "tako releases"


@click.command("releases", epilog=f"Example: {EXAMPLE}")
@shared
def command() -> None:
    """List the releases that the servers keep, newest first; `tako rollback` goes back to one."""
    opened = Session(chosen(), console(chosen()))
    app, targets = opened.deployed()

    async def act(target: Target, connection: Connection) -> ReleasesData:
        return await connection.client.call(ListReleases(app=app), ReleasesData)

    results: dict[str, ReleasesData | TakoError] = session.run(lambda: opened.each(targets, act))
    change.report(opened.console, "releases", app, results, _tell)


def _tell(screen: Console, server: str, data: ReleasesData) -> None:
    screen.line(f"{data.app} on {server}")
    rows = [
        (
            one.version,
            "current" if one.current else "good" if one.good else "never served",
            utc_text(one.deployed_at_unix_secs),
            size_text(one.size),
            one.note,
        )
        for one in data.releases
    ]
    screen.table(("version", "state", "deployed", "size", "note"), rows)
