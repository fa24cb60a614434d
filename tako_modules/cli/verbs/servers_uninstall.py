"""`tako servers uninstall`: a server becomes the machine again that it was."""

import click

from tako_modules.base import paths
from tako_modules.cli import session, setup
from tako_modules.cli.console import Console, console
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import Session
from tako_modules.deploy import uninstall
from tako_modules.model.server import LOCAL, Server
from tako_modules.protocol.setup import RemoveRequest, SetupData
from tako_modules.workspace import inventory

EXAMPLE = "tako servers uninstall la --delete-apps --dry-run"
SCHEMA = "tako.servers.uninstall/1"


@click.command("uninstall", epilog=f"Example: {EXAMPLE}")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="List what would be removed, and change nothing.")
@click.option("--delete-apps", is_flag=True, help="Delete the apps that are deployed there.")
@click.option("--purge", is_flag=True, help="Delete their data too, instead of moving it to /opt/tako-trash.")
@click.option("--user", default="", help="Log in as this user instead of the one that added it.")
@shared
def command(name: str, *, dry_run: bool, delete_apps: bool, purge: bool, user: str) -> None:
    """Remove all that `servers add` and the server itself made on a machine, and forget it."""
    opened = Session(chosen(), console(chosen()))
    if not dry_run and name != LOCAL:
        inventory.check_changeable()  # before the machine is emptied
    server = setup.find(opened, name)
    wish = RemoveRequest(apply=False, delete_apps=delete_apps, purge=purge)
    if name == LOCAL:
        done = session.run(lambda: _remove_local(opened, wish, dry=dry_run))
    else:
        done = session.run(lambda: _remove(opened, server, user, wish, dry=dry_run))
    if not dry_run and name != LOCAL:
        inventory.remove_server(paths.home(), name)
    _tell(opened.console, name, done, dry=dry_run)


async def _remove(opened: Session, server: Server, user: str, wish: RemoveRequest, *, dry: bool) -> SetupData:
    async with setup.enter_as_admin(server, user, opened.console) as site:
        return await setup.plan_and_apply(
            lambda apply, progress: site.remove(_applied(wish, apply=apply), progress),
            question=f"Remove tako from {server.name}?",
            dry=dry,
            options=opened.options,
            screen=opened.console,
        )


async def _remove_local(opened: Session, wish: RemoveRequest, *, dry: bool) -> SetupData:
    return await setup.plan_and_apply(
        lambda apply, progress: uninstall.remove_local(_applied(wish, apply=apply), opened.clock, progress),
        question="Remove the built-in server?",
        dry=dry,
        options=opened.options,
        screen=opened.console,
    )


def _applied(wish: RemoveRequest, *, apply: bool) -> RemoveRequest:
    return RemoveRequest(apply=apply, delete_apps=wish.delete_apps, purge=wish.purge)


def _tell(screen: Console, name: str, done: SetupData, *, dry: bool) -> None:
    setup.tell(screen, done, dry=dry)
    if not dry:
        screen.line(f"{name} is no longer a server")
    screen.emit({"schema": SCHEMA, "name": name, "applied": not dry, "steps": done.steps, "notes": done.notes})
