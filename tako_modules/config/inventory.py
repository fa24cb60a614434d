"""The user's servers: config.toml in TAKO_HOME, or TAKO_SERVERS in its stead, become Server nouns."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from tako_modules.model.server import LOCAL, Server

from . import rules
from .problems import KeyPath, Problem
from .tables import Sheet, parse_toml, read_table

__all__ = [
    "VARIABLE",
    "address_problem",
    "name_problem",
    "parse_inventory",
    "parse_servers_variable",
    "same_machine",
]

VARIABLE = "TAKO_SERVERS"
_ENTRY = re.compile(
    r"(?P<name>[^=]+)=(?:(?P<user>[^@]+)@)?(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d{1,5}))?"
)
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_PORT_LIMIT = 65_535


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[servers]]` of config.toml: the keys of model.Server."""

    LATER: ClassVar[dict[str, str]] = {}

    name: str
    host: str
    port: Annotated[int, Meta(ge=1, le=_PORT_LIMIT)] = 22
    user: str = "tako"
    admin: str = ""
    description: str = ""
    arch: str = ""
    libc: str = ""
    python: str = ""


def parse_inventory(text: str, file: str) -> tuple[Server, ...]:
    """Read the text of config.toml; raises BadConfig with every problem and its line.

    What is beside `servers` in the file belongs to others and is left alone.
    """
    top = parse_toml(text, file)
    sheet = Sheet(file, text)
    entries = top.get("servers", [])
    if not isinstance(entries, list):
        sheet.report(("servers",), "must be a list of tables", "write each server under [[servers]]")
        entries = []
    found: list[Server] = []
    for number, value in enumerate(entries):
        at: KeyPath = ("servers", number)
        entry = read_table(_Entry, value, at, sheet)
        if entry is None:
            continue
        server = msgspec.convert(msgspec.to_builtins(entry), Server)
        _check(server, found, at, sheet)
        found.append(server)
    sheet.finish()
    return tuple(found)


def parse_servers_variable(text: str) -> tuple[Server, ...]:
    """Read TAKO_SERVERS: `la=tako@203.0.113.7:22,fra=[2001:db8::7]`; user `tako` and port 22 may be left out.

    Raises BadConfig with every problem.
    """
    sheet = Sheet(VARIABLE, "")
    found: list[Server] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        entry = _ENTRY.fullmatch(part)
        if entry is None or int(entry["port"] or 22) not in range(1, _PORT_LIMIT + 1):
            sheet.report((part,), "is not a server", f'write {VARIABLE}="la=tako@203.0.113.7:22,…"')
            continue
        server = Server(
            name=entry["name"].strip(),
            host=entry["six"] or entry["host"],
            port=int(entry["port"] or 22),
            user=entry["user"] or "tako",
        )
        _check(server, found, (part,), sheet)
        found.append(server)
    sheet.finish()
    return tuple(found)


def _check(server: Server, before: list[Server], at: KeyPath, sheet: Sheet) -> None:
    _check_name(server.name, at, sheet)
    _check_address(server.host, (server.user, server.admin), at, sheet)
    for other in before:
        if other.name == server.name:
            sheet.report(at, f"the name {server.name} is taken by another server", "choose another name")
        elif same_machine(other, server.host, server.port):
            sheet.report(at, f"the host {server.host} is already called {other.name}", "keep one of the two")


def name_problem(name: str) -> Problem | None:
    """Find what is wrong with a name that was typed or made, by the rules of the inventory."""
    sheet = Sheet("", "")
    _check_name(name, (), sheet)
    return next(iter(sheet.problems), None)


def _check_name(name: str, at: KeyPath, sheet: Sheet) -> None:
    if name == LOCAL:
        sheet.report(at, "the name local is built in: this machine, without SSH", "choose another name")
    else:
        rules.check_server_name(name, at, sheet)


def address_problem(host: str, user: str) -> Problem | None:
    """Find what is wrong with an address that was typed, by the rules of the inventory; user: "" for none."""
    sheet = Sheet("", "")
    _check_address(host, (user,), (), sheet)
    return next(iter(sheet.problems), None)


def _check_address(host: str, users: Sequence[str], at: KeyPath, sheet: Sheet) -> None:
    rules.check_host(host, at, sheet)
    for word in users:
        if word and not _USER.fullmatch(word):
            sheet.report(at, f"{word!r} is not a login", "write the name of a user of that machine")


def same_machine(one: Server, host: str, port: int) -> bool:
    """Compare hosts; loopback addresses lead to different machines on different ports (containers, tunnels)."""
    if one.host.lower() != host.lower():
        return False
    return one.port == port or not _is_loopback(one.host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
