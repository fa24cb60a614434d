"""`tako servers status`: how the servers are doing."""

import click
import msgspec

from tako_modules.base.errors import TakoError, Unreachable
from tako_modules.base.text import duration_text, size_text
from tako_modules.cli import change, session, setup
from tako_modules.cli.console import Console, console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session, document
from tako_modules.deploy import local
from tako_modules.deploy.target import Connection, Target
from tako_modules.model.server import LOCAL
from tako_modules.protocol.messages import List, ServerInfo
from tako_modules.protocol.replies import ListData, ServerInfoData

EXAMPLE = "tako servers status la --json"
SCHEMA = "tako.servers.status/1"


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself."""

    info: ServerInfoData
    apps: ListData


@click.command("status", epilog=f"Example: {EXAMPLE}")
@click.argument("name", default="")
@shared
def command(name: str) -> None:
    """Show how one server is doing, or all of them; the built-in one is not started for it."""
    opened = Session(chosen(), console(chosen()))
    servers = (setup.find(opened, name),) if name else opened.inventory()
    results: dict[str, ServerState | TakoError] = session.run(
        lambda: opened.each([Target(server=one) for one in servers if one.name != LOCAL], _ask)
    )
    for server in servers:
        if server.name == LOCAL:
            results[LOCAL] = session.run(_ask_local)
    for server in servers:
        _tell(opened.console, server.name, server.address, results[server.name])
    states = [document(one.name, results[one.name]) for one in servers]
    opened.console.emit({"schema": SCHEMA, "servers": states})
    if not name and isinstance(results[LOCAL], TakoError):
        del results[LOCAL]  # whether it runs is nobody's concern until it is asked for
    errors = {one: result for one, result in results.items() if isinstance(result, TakoError)}
    if errors:
        raise change.verdict(errors, len(results))


async def _ask(target: Target, connection: Connection) -> ServerState:
    info = await connection.client.call(ServerInfo(), ServerInfoData)
    return ServerState(info=info, apps=await connection.client.call(List(), ListData))


async def _ask_local() -> ServerState | TakoError:
    try:
        async with await local.connect() as client:
            info = await client.call(ServerInfo(), ServerInfoData)
            return ServerState(info=info, apps=await client.call(List(), ListData))
    except Unreachable:
        return Unreachable("it does not run", hint="`tako servers restart local` starts it, and so does a deploy")


def _tell(screen: Console, name: str, address: str, state: ServerState | TakoError) -> None:
    if isinstance(state, TakoError):
        screen.line(f"{name} ({address}): {state.message}")
        if state.hint:
            screen.line(f"  → {state.hint}")
        return
    info = state.info
    up = duration_text(info.uptime_seconds)
    screen.line(f"{name} ({address}): running, tako {info.server_version} (build {info.build}), up {up}")
    screen.line(f"  ports {info.http_port} and {info.https_port}, {info.workers} workers, data in {info.data_dir}")
    screen.line(f"  {size_text(info.free_bytes)} free" + (", single-user" if info.rootless else ""))
    for app in state.apps.apps:
        screen.line(f"  {app.name}  {app.state}  version {app.version or 'none'}  instances {app.instances}")
    if not state.apps.apps:
        screen.line("  nothing is deployed")
