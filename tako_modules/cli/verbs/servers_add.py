"""`tako servers add`: a bare machine becomes a server."""

from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from tako_modules.base import paths
from tako_modules.base.errors import TakoError, UsageError
from tako_modules.base.text import sanitise_name
from tako_modules.cli import access, session, setup
from tako_modules.cli.console import Console, console
from tako_modules.cli.numbers import WholeNumber
from tako_modules.cli.options import Options, chosen, shared
from tako_modules.config.inventory import address_problem, name_problem, same_machine
from tako_modules.deploy import remote
from tako_modules.deploy.bootstrap import Site
from tako_modules.model.server import Server
from tako_modules.protocol.setup import SetupData
from tako_modules.ssh.login import Access, Login
from tako_modules.workspace import inventory

EXAMPLE = "tako servers add root@203.0.113.7 --name la"
SCHEMA = "tako.servers.add/1"


@dataclass(frozen=True, slots=True)
class Wish:
    """What was typed of the new server."""

    login: Login
    name: str
    description: str
    keys: tuple[str, ...]
    is_tested: bool
    is_dry: bool


@click.command("add", epilog=f"Example: {EXAMPLE}")
@click.argument("address", metavar="[USER@]HOST")
@click.option("--name", default="", help="How you call the server; else the first part of its name.")
@click.option("--port", type=WholeNumber(1, 65535), metavar="NUMBER", default=22, help="The port of its sshd.")
@click.option("--description", default="", help="A note for people.")
@click.option("--host-key", default="", metavar="SHA256:…", help="The one host key to accept.")
@click.option("--accept-new-host-key", is_flag=True, help="Accept its host key unseen if it is not known yet.")
@click.option(
    "--public-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Let this key deploy there."
)
@click.option("--no-test", is_flag=True, help="Do not log in as `tako` at the end.")
@click.option("--dry-run", is_flag=True, help="List what would be done, and change nothing.")
@shared
def command(
    address: str,
    *,
    name: str,
    port: int,
    description: str,
    host_key: str,
    accept_new_host_key: bool,
    public_key: Path | None,
    no_test: bool,
    dry_run: bool,
) -> None:
    """Make a machine a server: log in as root or with sudo, install this very tako, start it."""
    if not dry_run:
        inventory.check_changeable()
    login = _login(address, port, name)
    keys = _read_keys(public_key) if public_key is not None else ()
    wish = Wish(login, _checked_name(name), description, keys, not no_test, dry_run)
    _name(wish)
    options = chosen()
    screen = console(options)
    how = access.person_access(
        asks=session.interactive(), still=screen.still, host_key=host_key, accept_new=accept_new_host_key
    )
    session.run(lambda: _add(wish, how, options, screen))


def _login(address: str, port: int, name: str) -> Login:
    """Read the address that was typed; raises UsageError when it is none."""
    user, _, host = address.rpartition("@")
    host = host.removeprefix("[").removesuffix("]")
    problem = address_problem(host, user)
    if problem is not None:
        raise UsageError(problem.message, hint=f"{problem.hint}, as in `{EXAMPLE}`")
    return Login(host=host, port=port, user=user, name=name, is_new=True)


async def _add(wish: Wish, how: Access, options: Options, screen: Console) -> None:
    async with setup.enter(wish.login, how, screen) as site:
        screen.say(f"{wish.login.host}: {site.seen.words}")
        site.seen.check()
        keys = wish.keys or setup.login_key(site)
        _named(wish, site)  # before anything is asked or installed
        await _ensure_python(site, wish, options, screen)
        server = _server(wish, site)
        done = await setup.plan_and_apply(
            lambda apply, progress: site.install(keys, progress, apply=apply),
            question=f"Make {server.host} a server?",
            dry=wish.is_dry,
            options=options,
            screen=screen,
        )
        if not wish.is_dry:
            await finish(server, how, screen, test=wish.is_tested)
        _tell(screen, server, done, dry=wish.is_dry)


async def _ensure_python(site: Site, wish: Wish, options: Options, screen: Console) -> None:
    if site.seen.python is not None or not site.seen.installer:
        return
    if wish.is_dry:
        raise TakoError(
            f"{site.root.name} has no Python 3.11 or newer: `servers add` would install it by {site.seen.installer}, "
            "and the steps after that can only be listed by tako itself",
            hint="run it without --dry-run, or install python3 there first",
        )
    session.confirm(options, f"There is no Python 3.11 or newer. Install it by {site.seen.installer}?")
    with screen.step(f"installing Python by {site.seen.installer}"):
        await site.install_python()


async def finish(server: Server, how: Access, screen: Console, *, test: bool) -> None:
    """Log in as `tako` where that is to be tested, then write the server down; raises TakoError."""
    if test:
        with screen.step(f"logging in as {server.user}"):
            async with remote.reach_remote(server, how) as connection:
                greeted = connection.client.server
        screen.say(f"it runs tako {greeted.server_version if greeted else ''}")
    known = {one.name: one for one in inventory.read_servers(paths.home())}
    if server.name in known:
        inventory.update_server(paths.home(), server)
    else:
        inventory.add_server(paths.home(), server)


def _server(wish: Wish, site: Site) -> Server:
    """Make the inventory's entry; raises UsageError as `_named` does."""
    here = _here(wish)
    server = Server(
        name=_named(wish, site),
        host=wish.login.host,
        port=wish.login.port,
        description=wish.description or (here.description if here else ""),
    )
    return setup.learned(server, site)


def _here(wish: Wish) -> Server | None:
    """Find the machine in the inventory, by the inventory's own rule."""
    known = inventory.read_servers(paths.home())
    return next((one for one in known if same_machine(one, wish.login.host, wish.login.port)), None)


def _named(wish: Wish, site: Site) -> str:
    """Choose the name now that the machine has told its own; raises UsageError when there is none to be had."""
    name = _name(wish, site.seen.host)
    if not name:
        raise UsageError("this machine has no name that could be used", hint="choose one with --name")
    return name


def _name(wish: Wish, told: str = "") -> str:
    """Choose the name, "" where only the machine can tell; raises UsageError when name or host is taken.

    told: what the machine calls itself.
    """
    login, here = wish.login, _here(wish)
    name = wish.name or (here.name if here else _default_name(login.host, told))
    if here is not None and (here.name, here.port) != (name, login.port):
        raise UsageError(
            f"{login.host} is already called {here.name}: {here.address}",
            hint=f"run `tako servers rm {here.name}` first",
        )
    taken = next((one for one in inventory.read_servers(paths.home()) if one.name == name and one != here), None)
    if taken is not None:
        raise UsageError(f"the name {name} is taken by {taken.address}", hint="choose another one with --name")
    return name


def _default_name(host: str, told: str) -> str:
    """Take the first part of the name that was typed; for an address what the machine calls itself."""
    for text in (host if not host.replace(".", "").isdigit() and ":" not in host else "", told):
        name = sanitise_name(text.split(".")[0])
        if name != "localhost" and name_problem(name) is None:
            return name
    return ""


def _checked_name(name: str) -> str:
    problem = name_problem(name) if name else None
    if problem is not None:
        raise UsageError(problem.message, hint="choose one of lower-case letters, digits and -, e.g. --name la")
    return name


def _read_keys(path: Path) -> tuple[str, ...]:
    """Read the lines of a public key file; raises UsageError when it is none."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines()]
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys or any(not key.startswith(("ssh-", "ecdsa-", "sk-")) for key in keys):
        raise UsageError(f"{path} is no public key file", hint="name the file that ends in .pub")
    return keys


def _tell(screen: Console, server: Server, done: SetupData, *, dry: bool) -> None:
    setup.tell(screen, done, dry=dry)
    if not dry:
        screen.line(f"{server.name} is a server: {server.address}")
    entry = {"server": msgspec.to_builtins(server), "changes": len(done.steps), "applied": not dry}
    screen.emit({"schema": SCHEMA, **entry, "steps": done.steps, "notes": done.notes, "build": done.build})
