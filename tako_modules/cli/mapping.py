"""A server for an environment that has none: the only one of the inventory, or one that a person picks."""

from collections.abc import Sequence

from tako_modules.base.errors import ConfigError
from tako_modules.base.text import plain_text
from tako_modules.model.server import LOCAL, Server
from tako_modules.workspace.project import Workspace

from . import session
from .session import Session

__all__ = ["choose"]


def choose(opened: Session, workspace: Workspace, *, confirms: bool) -> Server:
    """Choose the server to write into tako.toml; `local` where there is no other and somebody can be asked.

    confirms: ask before the only one is taken. Raises ConfigError where a person has to choose and cannot be asked.
    """
    servers = opened.inventory()
    found = [server for server in servers if server.name != LOCAL]
    asks = session.interactive()
    if len(found) > 1 and asks and not opened.options.yes:
        return _pick(found, workspace, opened.env)
    if len(found) > 1 or not (found or asks):
        raise _unmapped(found, workspace, opened.env)
    only = next(iter(found or servers))
    if confirms:
        none = "" if found else "Your inventory has no server; `tako servers add root@<host>` adds one. "
        place = only.name if found else f"{LOCAL}, this machine,"
        question = f"{none}Deploy to {place} and write [servers.{only.name}] into {workspace.file.name}?"
        session.confirm(opened.options, question)
    return only


def _unmapped(found: Sequence[Server], workspace: Workspace, env: str) -> ConfigError:
    names = [server.name for server in found]
    which = f", with one of {', '.join(names)}" if names else ""
    lines = f'[servers.{names[0] if names else LOCAL}]\nenv = "{env}"'
    return ConfigError(
        f"{workspace.file.name} maps no server to {env}",
        hint=f"add to {workspace.file.name}{which}:\n{lines}\nor add a server with `tako servers add root@<host>`",
    )


def _pick(found: Sequence[Server], workspace: Workspace, env: str) -> Server:
    """Let a person choose by number or name."""
    import click

    width = max(len(server.name) for server in found)
    click.echo(f"{workspace.file.name} maps no server to {env}. Your inventory has:", err=True)
    for number, server in enumerate(found, 1):
        click.echo(f"  {number}  {server.name:{width}}  {plain_text(server.address)}", err=True)
    by_word = {str(number): server for number, server in enumerate(found, 1)}
    by_word |= {server.name: server for server in found}
    question = f"Which one is written into {workspace.file.name}, by number or name?"
    kind = click.Choice(list(by_word))
    return by_word[click.prompt(question, type=kind, show_choices=False, prompt_suffix=" ", err=True)]
