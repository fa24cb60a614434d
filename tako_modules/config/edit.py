"""Change tako.toml and the inventory as text, so that comments and order stay as they are.

What is new is put at the end as text of its own, what goes is cut out, what changes goes through tomlkit. Every result
is read again and compared with what was meant, so that an unusual file leads to an error and never to a wrong file.
"""

from collections.abc import Callable

import msgspec
import tomli
import tomlkit
from tomlkit.exceptions import TOMLKitError

from tako_modules.base.errors import ConfigError, TakoError
from tako_modules.model.server import Server

from .lines import LineIndex
from .problems import KeyPath

__all__ = ["add_inventory_server", "add_server_mapping", "remove_inventory_server", "update_inventory_server"]

Tables = dict[str, object]


def add_server_mapping(text: str, server: str, env: str) -> str:
    """Let a server run an environment: a new `[servers.<server>]`, or one more in its list.

    Raises ConfigError, whose hint has the lines to add by hand, when the file's shape does not allow it.
    """
    lines = f'[servers.{server}]\nenv = "{env}"\n'
    servers = _tables(_read(text, "tako.toml").get("servers"))
    entry = servers.get(server)
    if entry is None:
        meant = {**servers, server: {"env": env}}
        return _checked(_append(text, lines), "servers", meant, f"add these lines to tako.toml:\n{lines}")
    table = _tables(entry)
    written = table.get("env")
    known = written if isinstance(written, list) else [written] if written else []
    if env in known:
        return text
    envs: object = [*known, env] if known else env

    def change(document: tomlkit.TOMLDocument) -> None:
        document["servers"][server]["env"] = envs

    meant = {**servers, server: {**table, "env": envs}}
    return _checked(_change(text, change), "servers", meant, f"let env of [servers.{server}] in tako.toml list {env}")


def add_inventory_server(text: str, server: Server) -> str:
    """Put a server at the end of config.toml; raises TakoError when the name is taken."""
    entries = _entries(text)
    if any(entry.get("name") == server.name for entry in entries):
        raise TakoError(f"the name {server.name} is taken", hint="run `tako servers ls`, then choose another name")
    new = _entry(server)
    lines = "[[servers]]\n" + tomlkit.dumps(new)
    return _checked(_append(text, lines), "servers", [*entries, new], f"add these lines to config.toml:\n{lines}")


def update_inventory_server(text: str, server: Server) -> str:
    """Write what is new about a server that config.toml has; raises TakoError when it has not."""
    entries = _entries(text)
    at = _find(entries, server.name)
    new = _entry(server)

    def change(document: tomlkit.TOMLDocument) -> None:
        entry = document["servers"][at]
        for key in entries[at].keys() - new.keys():
            entry.remove(key)
        for key, value in new.items():
            if entry.get(key) != value:
                entry[key] = value

    meant = [*entries[:at], new, *entries[at + 1 :]]
    return _checked(_change(text, change), "servers", meant, f"change the server {server.name} in config.toml by hand")


def remove_inventory_server(text: str, name: str) -> str:
    """Take a server out of config.toml, and the list with its last one; raises TakoError when it is not there."""
    entries = _entries(text)
    at = _find(entries, name)
    rest = [*entries[:at], *entries[at + 1 :]]
    hint = f"take the server {name} out of config.toml by hand"
    return _checked(_cut(text, ("servers", at)), "servers", rest or None, hint)


def _cut(text: str, path: KeyPath) -> str:
    """Take out the lines of a table, from its header to the next; comments above the next one are the next one's."""
    index = LineIndex(text)
    lines = text.split("\n")
    first = index.line(path)
    end = next((line for line in index.headers if line > first), len(lines) + 1)
    while end - 1 > first and (not lines[end - 2].strip() or lines[end - 2].lstrip().startswith("#")):
        end -= 1
    return "\n".join(lines[: first - 1] + lines[end - 1 :])


def _entry(server: Server) -> Tables:
    built: Tables = msgspec.to_builtins(server)
    return built


def _find(entries: list[Tables], name: str) -> int:
    names = [entry.get("name") for entry in entries]
    if name not in names:
        raise TakoError(f"there is no server {name} in your inventory", hint="run `tako servers ls`")
    return names.index(name)


def _read(text: str, file: str) -> Tables:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"{file}:{error.lineno}: not valid TOML: {error.msg}", hint=f"correct {file}") from error


def _tables(value: object) -> Tables:
    return value if isinstance(value, dict) else {}


def _entries(text: str) -> list[Tables]:
    value = _read(text, "config.toml").get("servers", [])
    return [_tables(entry) for entry in value] if isinstance(value, list) else []


def _append(text: str, lines: str) -> str:
    body = text.rstrip("\n")
    return f"{body}\n\n{lines}" if body else lines


def _change(text: str, change: Callable[[tomlkit.TOMLDocument], None]) -> str:
    """Apply a change; "" when the file's shape is beyond tomlkit."""
    try:
        document = tomlkit.parse(text)
        change(document)
        return tomlkit.dumps(document)
    except (TOMLKitError, KeyError, IndexError, TypeError, AttributeError):
        return ""


def _checked(text: str, key: str, meant: object, hint: str) -> str:
    """Give the text back when its `key` holds what is meant."""
    try:
        right = tomli.loads(text).get(key) == meant
    except tomli.TOMLDecodeError:
        right = False
    if not right:
        raise ConfigError("the file is written in a way that cannot be edited without changing more of it", hint=hint)
    return text
