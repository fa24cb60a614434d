"""`tako logs`: what the app prints."""

import re
import time

import click

from tako_modules.base.clock import utc_text
from tako_modules.base.errors import TakoError, UsageError
from tako_modules.cli import change, session
from tako_modules.cli.console import Console, console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.deploy.target import Connection, Target
from tako_modules.mgmt.client import Event
from tako_modules.protocol.messages import Logs
from tako_modules.protocol.replies import ExitData, LineEvent

EXAMPLE = "tako logs --lines 50"
SINCE = re.compile(r"(\d{1,6})([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command("logs", epilog=f"Example: {EXAMPLE}")
@click.option("--lines", type=click.IntRange(0, 10_000), default=100, show_default=True, help="How many old lines.")
@click.option("--since", metavar="SPAN", help="Only lines of the last SPAN: 30s, 10m, 2h or 1d.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@shared
def command(lines: int, since: str | None, follow: bool) -> None:
    """Show what the instances printed, and the app's own log files, of all servers."""
    opened = Session(chosen(), console(chosen()))
    app, targets = opened.deployed()
    request = Logs(app=app, lines=lines, since=_begin(since), follow=follow)
    heard: dict[str, list[LineEvent]] = {target.name: [] for target in targets}
    several = len(targets) > 1

    async def act(target: Target, connection: Connection) -> ExitData:
        def hear(event: Event) -> None:
            if isinstance(event, LineEvent):
                if opened.options.json and not follow:
                    heard[target.name].append(event)
                else:
                    print(_line(event, target.name if several else ""), flush=True)

        return await connection.client.call(request, ExitData, hear)

    async def main() -> dict[str, ExitData | TakoError]:
        return await opened.each(targets, act)

    results = session.run(main)
    _report(opened.console, app, results, heard)


def _begin(since: str | None) -> float | None:
    if since is None:
        return None
    found = SINCE.fullmatch(since)
    if found is None:
        raise UsageError(f"--since {since} is not a span of time", hint="use for example `tako logs --since 10m`")
    return time.time() - int(found[1]) * SECONDS[found[2]]


def _line(event: LineEvent, server: str) -> str:
    return " ".join(part for part in (server, utc_text(event.at), event.instance, event.text) if part)


def _report(
    screen: Console, app: str, results: dict[str, ExitData | TakoError], heard: dict[str, list[LineEvent]]
) -> None:
    screen.emit(
        {
            "schema": "tako.logs/1",
            "app": app,
            "servers": [
                {
                    "server": server,
                    "lines": [{"at": one.at, "instance": one.instance, "text": one.text} for one in lines],
                }
                for server, lines in heard.items()
            ],
        }
    )
    errors = {name: result for name, result in results.items() if isinstance(result, TakoError)}
    if errors:
        raise change.verdict(errors, len(results))
