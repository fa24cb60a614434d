"""What the verbs of `servers` have in common: find a server, log in as its admin, list steps and carry them out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tako_modules.base.errors import TakoError, UsageError
from tako_modules.deploy import bootstrap, remote
from tako_modules.deploy.bootstrap import Site
from tako_modules.model.server import Server
from tako_modules.protocol.setup import SetupData

from . import access, session
from .console import Console
from .options import Options
from .session import Session

__all__ = ["enter_as_admin", "find", "plan_and_apply", "tell"]


def find(opened: Session, name: str) -> Server:
    """Find a server of the inventory; raises UsageError that names those there are."""
    servers = opened.inventory()
    for server in servers:
        if server.name == name:
            return server
    names = ", ".join(one.name for one in servers)
    raise UsageError(f"there is no server {name}", hint=f"choose one of {names}, or add it: `tako servers add`")


@asynccontextmanager
async def enter_as_admin(server: Server, user: str) -> AsyncIterator[Site]:
    """Log in on a server as somebody who is, or becomes, root there; user: another login than `servers add` used."""
    login = user or server.admin
    if not login:
        raise UsageError(
            f"your inventory does not say who may administer {server.name}", hint="name the login: --user root"
        )
    async with bootstrap.enter(
        remote.login_of(server, login), access.person_access(asks=session.interactive())
    ) as site:
        yield site


async def plan_and_apply(
    act: Callable[[bool], Awaitable[SetupData]], *, question: str, dry: bool, options: Options, screen: Console
) -> SetupData:
    """Ask for the plan, then for consent, then for the deed; gives what was planned. Raises TakoError for its problems.

    act: plans with False, plans again and carries out with True.
    """
    planned = await act(False)
    if planned.problems:
        hints = "\n".join(dict.fromkeys(hint for _, hint in planned.problems if hint))
        raise TakoError("; ".join(message for message, _ in planned.problems), hint=hints)
    if dry or not planned.steps:
        return planned
    for step in planned.steps:
        screen.detail(f"will {step}")
    session.confirm(options, f"{question} ({len(planned.steps)} steps, `--dry-run` lists them)")
    return await act(True)


def tell(screen: Console, done: SetupData, *, dry: bool) -> None:
    """Print the steps of a dry run, or how many changes were made; notes are warnings."""
    for note in done.notes:
        screen.warn(note)
    if dry:
        for step in done.steps:
            screen.line(step)
    count = f"{len(done.steps)} change{'' if len(done.steps) == 1 else 's'}"
    screen.line(f"{count} would be made" if dry else count)
