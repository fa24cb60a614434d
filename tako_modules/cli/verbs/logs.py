"""`tako logs`: what the app prints."""

import re
import time

import click

from tako_modules.base.clock import utc_text
from tako_modules.base.errors import Cancelled, TakoError, UsageError
from tako_modules.cli import change, session
from tako_modules.cli.console import Console, console
from tako_modules.cli.numbers import WholeNumber
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session, document
from tako_modules.deploy.target import Connection, Target
from tako_modules.mgmt.client import Event
from tako_modules.protocol.messages import Logs
from tako_modules.protocol.replies import ExitData, LineEvent

EXAMPLE = "tako logs --lines 50"
SINCE = re.compile(r"(\d{1,6})([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command("logs", epilog=f"Example: {EXAMPLE}")
@click.option(
    "--lines", type=WholeNumber(0, 10_000), metavar="NUMBER", default=100, show_default=True, help="How many old lines."
)
@click.option("--since", metavar="SPAN", help="Only lines of the last SPAN: 30s, 10m, 2h or 1d.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
@shared
def command(lines: int, since: str | None, follow: bool) -> int:
    """Show what the instances printed, and the app's own log files, of all servers."""
    opened = Session(chosen(), console(chosen()))
    if follow and opened.options.json:
        raise UsageError(
            "--follow prints text without an end, and --json and --events one document at the end",
            hint="leave one of them out: `tako logs --follow`, or `tako logs --json`",
        )
    app, targets = opened.deployed()
    request = Logs(app=app, lines=lines, since=_begin(since), follow=follow)
    heard: dict[str, list[LineEvent]] = {target.name: [] for target in targets}
    several = len(targets) > 1

    async def act(target: Target, connection: Connection) -> ExitData:
        def hear(event: Event) -> None:
            if isinstance(event, LineEvent):
                if opened.options.json:
                    heard[target.name].append(event)
                else:
                    print(_line(event, target.name if several else ""), flush=True)

        return await connection.client.call(request, ExitData, hear)

    async def main() -> dict[str, ExitData | TakoError]:
        return await opened.each(targets, act)

    try:
        results = session.run(main)
    except KeyboardInterrupt:
        if not follow:
            raise
        return Cancelled.exit_code  # that is how following ends: nothing is to be said
    _report(opened.console, app, results, heard)
    return 0


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
    errors = {name: result for name, result in results.items() if isinstance(result, TakoError)}
    for name, error in errors.items():
        change.tell_error(screen, name, error, alone=len(results) == 1)
    screen.emit(
        {
            "schema": "tako.logs/1",
            "app": app,
            "servers": [_server_document(server, heard[server], result) for server, result in results.items()],
        }
    )
    if errors:
        raise change.verdict(errors, len(results))


def _server_document(server: str, lines: list[LineEvent], result: ExitData | TakoError) -> dict[str, object]:
    texts = [{"at": one.at, "instance": one.instance, "text": one.text} for one in lines]
    return {"server": server, "lines": texts, "error": document(server, result)["error"]}
