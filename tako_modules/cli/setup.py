"""What the verbs of `servers` have in common: find a server, log in as its admin, list steps and carry them out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec

from tako_modules.base import paths
from tako_modules.base.errors import TakoError, UsageError
from tako_modules.deploy import bootstrap, remote
from tako_modules.deploy.bootstrap import Site
from tako_modules.deploy.progress import Progress
from tako_modules.model.server import Server
from tako_modules.protocol.setup import SetupData
from tako_modules.ssh.login import Access, Login
from tako_modules.workspace import inventory

from . import access, session
from .console import Console
from .options import Options
from .session import Session
from .steps import Shown

Act = Callable[[bool, Progress], Awaitable[SetupData]]

__all__ = ["enter", "enter_as_admin", "find", "learned", "login_key", "make_server", "plan_and_apply", "tell"]


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


def learned(server: Server, site: Site) -> Server:
    """Add to an entry of the inventory what a look at the machine has told."""
    seen = site.seen
    python = seen.python.version if seen.python else ""
    return msgspec.structs.replace(server, admin=site.admin, arch=seen.arch, libc=seen.libc, python=python)


async def make_server(server: Server, user: str, screen: Console) -> None:
    """Make a machine of the inventory a server, as a person at the terminal has agreed; raises TakoError.

    user: the login that is, or becomes, root there.
    """
    how = access.person_access(asks=True, still=screen.still)
    login = replace(remote.login_of(server, user), is_new=True)
    async with enter(login, how, screen) as site:
        site.seen.check()
        if site.seen.python is None and site.seen.installer:
            await _install_python(site, screen)
        keys = login_key(site)
        await plan_and_apply(
            lambda apply, progress: site.install(keys, progress, apply=apply),
            question=f"Make {server.host} a server?",
            dry=False,
            options=Options(yes=True),
            screen=screen,
        )
        if not inventory.is_replaced():
            inventory.update_server(paths.home(), learned(server, site))


async def _install_python(site: Site, screen: Console) -> None:
    installer = site.seen.installer
    if not await access.ask(f"There is no Python 3.11 or newer there. Install it by {installer}?", screen.still):
        raise TakoError(f"{site.root.name} has no Python 3.11 or newer", hint="install python3 there, then try again")
    with screen.step(f"installing Python by {installer}"):
        await site.install_python()


def login_key(site: Site) -> tuple[str, ...]:
    """Give the key that logged in, as a line of authorized_keys; raises UsageError when it cannot be told."""
    if not site.login_key:
        raise UsageError(
            "it cannot be told which key logged in (a certificate of the agent has none of its own)",
            hint="name the key that shall deploy: `tako servers add` with --public-key ~/.ssh/id_ed25519.pub",
        )
    return (site.login_key,)


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
