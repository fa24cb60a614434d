"""What the verbs of `servers` have in common: find a server, log in as its admin, list steps and carry them out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tako_modules.base.errors import TakoError, UsageError
from tako_modules.deploy import bootstrap, remote
from tako_modules.deploy.bootstrap import Site
from tako_modules.deploy.progress import Progress
from tako_modules.model.server import Server
from tako_modules.protocol.setup import SetupData
from tako_modules.ssh.login import Access, Login

from . import access, session
from .console import Console
from .options import Options
from .session import Session
from .steps import Shown

Act = Callable[[bool, Progress], Awaitable[SetupData]]

__all__ = ["enter", "enter_as_admin", "find", "plan_and_apply", "tell"]


def find(opened: Session, name: str) -> Server:
    """Find a server of the inventory; raises UsageError that names those there are."""
    servers = opened.inventory()
    for server in servers:
        if server.name == name:
            return server
    names = ", ".join(one.name for one in servers)
    raise UsageError(f"there is no server {name}", hint=f"choose one of {names}, or add it: `tako servers add`")


@asynccontextmanager
async def enter_as_admin(server: Server, user: str, screen: Console) -> AsyncIterator[Site]:
    """Log in on a server as somebody who is, or becomes, root there; user: another login than `servers add` used."""
    login = user or server.admin
    if not login:
        raise UsageError(
            f"your inventory does not say who may administer {server.name}", hint="name the login: --user root"
        )
    how = access.person_access(asks=session.interactive(), still=screen.still)
    async with enter(remote.login_of(server, login), how, screen) as site:
        yield site


@asynccontextmanager
async def enter(login: Login, how: Access, screen: Console) -> AsyncIterator[Site]:
    """Log in, become root and look around, and show that meanwhile."""
    with screen.opening(f"connecting to {login.label}") as step:
        async with bootstrap.enter(login, how) as site:
            step.end()
            yield site


async def plan_and_apply(
    act: Callable[[bool, Progress], Awaitable[SetupData]],
    *,
    question: str,
    dry: bool,
    options: Options,
    screen: Console,
) -> SetupData:
    """Ask for the plan, then for consent, then for the deed; gives what was planned. Raises TakoError for its problems.

    act: plans with False, plans again and carries out with True; tells its steps.
    """
    planned = await _shown(act, screen, apply=False)
    if planned.problems:
        hints = "\n".join(dict.fromkeys(hint for _, hint in planned.problems if hint))
        raise TakoError("; ".join(message for message, _ in planned.problems), hint=hints)
    if dry or not planned.steps:
        return planned
    for step in planned.steps:
        screen.detail(f"will {step}")
    session.confirm(options, f"{question} ({len(planned.steps)} steps, `--dry-run` lists them)")
    return await _shown(act, screen, apply=True)


async def _shown(act: Act, screen: Console, *, apply: bool) -> SetupData:
    shown, ok = Shown(screen, several=False), False
    try:
        done = await act(apply, shown)
        ok = True
    finally:
        shown.end("", ok=ok)
    return done


def tell(screen: Console, done: SetupData, *, dry: bool) -> None:
    """Print the steps of a dry run, or how many changes were made; notes are warnings."""
    for note in done.notes:
        screen.warn(note)
    if dry:
        for step in done.steps:
            screen.line(step)
    count = f"{len(done.steps)} change{'' if len(done.steps) == 1 else 's'}"
    screen.line(f"{count} would be made" if dry else count)
