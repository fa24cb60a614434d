"""`tako status`: how the app is doing on its servers."""

import click

from tako_modules.base.errors import TakoError
from tako_modules.base.text import duration_text
from tako_modules.cli import change, receipt, session
from tako_modules.cli.console import Console, console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.deploy.target import Connection, Target
from tako_modules.protocol.messages import ServerInfo, Status
from tako_modules.protocol.replies import DeploymentData, ServerInfoData, StatusData

EXAMPLE = "tako status --json"


@click.command("status", epilog=f"Example: {EXAMPLE}")
@shared
def command() -> None:
    """Show how the app is doing: versions, instances, requests, and why the last deploy failed."""
    opened = Session(chosen(), console(chosen()))
    app, targets = opened.deployed()

    ports: dict[str, int] = {}

    async def act(target: Target, connection: Connection) -> StatusData:
        ports[target.name] = (await connection.client.call(ServerInfo(), ServerInfoData)).https_port
        return await connection.client.call(Status(app=app), StatusData)

    results: dict[str, StatusData | TakoError] = session.run(lambda: opened.each(targets, act))

    def tell(screen: Console, server: str, status: StatusData) -> None:
        _tell(screen, server, status, ports.get(server, receipt.HTTPS))

    change.report(opened.console, "status", app, results, tell)


def _tell(screen: Console, server: str, status: StatusData, port: int) -> None:
    screen.line(f"{status.name} on {server}: {status.state}, version {status.version or 'none'}")
    for route in status.routes:
        screen.line(f"  {receipt.url(route, port)}")
    for build in status.builds:
        for one in build.instances:
            up = duration_text(one.uptime_secs)
            pid = one.pid if one.pid is not None else "-"
            screen.line(f"  {one.version}  instance {one.id}  {one.state}  port {one.port}  pid {pid}  up {up}")
            if one.warning:
                screen.line(f"    warning: {one.warning}")
    counts = status.requests
    screen.line(f"  requests: {counts.started} started, {counts.finished} finished, {counts.failed} failed")
    _tell_deployment(screen, "deployed", status.deployment)
    _tell_deployment(screen, "last attempt failed", status.last_failure)
    if status.last_error:
        screen.line(f"  last error: {status.last_error}")


def _tell_deployment(screen: Console, what: str, one: DeploymentData | None) -> None:
    if one is None:
        return
    note = f" ({one.note})" if one.note else ""
    reason = f": {one.reason}" if one.reason else ""
    screen.line(f"  {what}: {one.kind} of {one.version} at {one.finished_at or one.started_at}{note}{reason}")
