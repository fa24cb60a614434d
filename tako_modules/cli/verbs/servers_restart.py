"""`tako servers restart`: the whole server, with every app on it."""

import click

from tako_modules.base.clock import Clock
from tako_modules.base.errors import TakoError, Unreachable
from tako_modules.cli import access, session, setup
from tako_modules.cli.console import Console, console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.deploy import local, reach, remote
from tako_modules.model.server import LOCAL, Server
from tako_modules.protocol.replies import HelloData

EXAMPLE = "tako servers restart la"
SCHEMA = "tako.servers.restart/1"
HELLO_SECONDS = 30.0  # from systemd's "started" to an answer
LOOK_SECONDS = 0.5


@click.command("restart", epilog=f"Example: {EXAMPLE}")
@click.argument("name")
@click.option("--user", default="", help="Log in as this user instead of the one that added it.")
@shared
def command(name: str, *, user: str) -> None:
    """Restart a server; connections wait in its listeners meanwhile, apps are started anew."""
    opened = Session(chosen(), console(chosen()))
    server = setup.find(opened, name)
    session.confirm(opened.options, f"Restart {name} and every app on it?")
    greeted = session.run(lambda: _restart_local(opened) if name == LOCAL else _restart(opened, server, user))
    opened.console.line(f"{name} runs again: tako {greeted.server_version} (build {greeted.build})")
    opened.console.emit({"schema": SCHEMA, "name": name, "version": greeted.server_version, "build": greeted.build})


async def _restart(opened: Session, server: Server, user: str) -> HelloData:
    async with setup.enter_as_admin(server, user, opened.console) as site:
        with opened.console.step(f"restarting {server.name}"):
            await site.restart()
    with opened.console.step("waiting until it answers"):
        return await _hello(server, opened.clock, opened.console)


async def _hello(server: Server, clock: Clock, screen: Console) -> HelloData:
    how = access.person_access(asks=session.interactive(), still=screen.still)
    end = clock.monotonic() + HELLO_SECONDS
    while True:
        try:
            async with remote.reach_remote(server, how) as connection:
                return await connection.client.hello()
        except Unreachable:
            if clock.monotonic() > end:
                raise
        await clock.sleep(LOOK_SECONDS)


async def _restart_local(opened: Session) -> HelloData:
    with opened.console.step("stopping the built-in server"):
        ran = await local.stop(opened.clock)
    if not ran:
        opened.console.say("it did not run")
    async with reach.reach_local(Server(name=LOCAL, host=""), opened.clock, opened.console.say) as connection:
        greeted = connection.client.server
        if greeted is None:
            raise TakoError("the built-in server did not greet", hint="run the same command again")
        return greeted
