"""The user's servers on disk: TAKO_HOME/config.toml, or TAKO_SERVERS where there is no home (CI)."""

import os
from collections.abc import Callable
from pathlib import Path

from tako_modules.base.errors import ConfigError, UsageError, translate
from tako_modules.base.files import file_lock, write_atomic
from tako_modules.base.paths import Home
from tako_modules.config import edit, inventory
from tako_modules.model.server import Server

from .project import read_text

__all__ = ["add_server", "check_changeable", "is_replaced", "read_servers", "remove_server", "update_server"]


def read_servers(home: Home) -> tuple[Server, ...]:
    """Read all servers; raises ConfigError when the file or the variable is wrong."""
    if named := os.environ.get(inventory.VARIABLE, "").strip():
        return inventory.parse_servers_variable(named)
    return inventory.parse_inventory(read_text(home.inventory), _name(home)) if home.inventory.exists() else ()


def is_replaced() -> bool:
    """Tell whether TAKO_SERVERS stands in for the file."""
    return bool(os.environ.get(inventory.VARIABLE, "").strip())


def check_changeable() -> None:
    """Raise UsageError where TAKO_SERVERS stands in for the file: what is to be written down has no place then."""
    if is_replaced():
        message = f"{inventory.VARIABLE} stands in for your inventory, which is not changed"
        raise UsageError(message, hint=f"unset {inventory.VARIABLE} and run the same command again")


def add_server(home: Home, server: Server) -> None:
    """Put a server into the inventory; raises TakoError when its name or host is there already."""
    _change(home, lambda text: edit.add_inventory_server(text, server))


def update_server(home: Home, server: Server) -> None:
    """Write what was learned of a server."""
    _change(home, lambda text: edit.update_inventory_server(text, server))


def remove_server(home: Home, name: str) -> None:
    """Take a server out of the inventory; raises TakoError when it is not there."""
    _change(home, lambda text: edit.remove_inventory_server(text, name))


def _change(home: Home, change: Callable[[str], str]) -> None:
    """Edit the file under a lock; a wrong file, before or after, is reported and left as it is."""
    check_changeable()
    with translate({OSError: ConfigError}, f"cannot write {_name(home)}"):
        home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file_lock(home.root / "config.lock"):
            text = read_text(home.inventory) if home.inventory.exists() else ""
            inventory.parse_inventory(text, _name(home))
            new = change(text)
            inventory.parse_inventory(new, _name(home))
            # a link, as people with dotfiles have, keeps leading to the file
            write_atomic(Path(os.path.realpath(home.inventory)), new.encode(), 0o600)


def _name(home: Home) -> str:
    return str(home.inventory)
