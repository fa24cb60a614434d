"""Who listens on which port: read from /proc, once as the server and once as the app.

The kernel tells everybody the uid of a listener, but only its own user which process it belongs to. So control reads
/proc/net/tcp itself, and a child that runs as the app's user (`print_owned`) reads the descriptors of the instance's
processes. On a rootless server both are one user and no child is needed. Standard library only: the child starts often.
"""

import json
import os
import pwd
import sys
from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from tako_modules.base.errors import TakoError

__all__ = [
    "Listener",
    "Owned",
    "Ownership",
    "Process",
    "holder",
    "judge",
    "listeners",
    "owned_by",
    "parse_table",
    "print_owned",
    "processes",
    "read_report",
    "sockets",
    "user_words",
]

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTEN = "0A"  # TCP_LISTEN of <net/tcp_states.h>
WORD = 8  # hex digits of a 32-bit word of an address, each in the machine's byte order
WILDCARDS = (str(IPv4Address(0)), str(IPv6Address(0)))
LOOPBACK = ("127.0.0.1", *WILDCARDS)  # addresses that answer a connection to 127.0.0.1
REPORT_LIMIT = 1000  # lines of a child's report that are read: the app's user could make it endless
LINE_LIMIT = 500  # characters of each
PARENT_FIELD, SESSION_FIELD, START_FIELD = (
    1,
    3,
    19,
)  # of /proc/<pid>/stat, counted after the name in parentheses (proc(5))


class Listener(NamedTuple):
    """One row of the kernel's table; an IPv4 address mapped into IPv6 is shown as IPv4."""

    address: str
    port: int
    uid: int
    inode: int


class Owned(NamedTuple):
    """A listener that a process of an instance has open."""

    pid: int
    address: str
    port: int
    inode: int


class Process(NamedTuple):
    """One process of the machine; start: clock ticks since boot."""

    parent: int
    session: int
    start: int


class Ownership(NamedTuple):
    """Whose an instance's port is.

    ok: the instance's own and nobody else's; held: by whom else, "" when by nobody; wildcard: it also listens for the
    world; elsewhere: other addresses that the instance listens on.
    """

    ok: bool
    held: str = ""
    wildcard: bool = False
    elsewhere: tuple[str, ...] = ()

    def words(self, port: int) -> str:
        """Say what is wrong; "" when nothing is."""
        if self.held:
            return self.held
        if self.ok:
            return ""
        if self.elsewhere:
            return f"listens on {', '.join(self.elsewhere)} instead of $PORT {port}"
        return f"does not listen on 127.0.0.1:{port} yet"


def listeners() -> tuple[Listener, ...]:
    """Read all TCP listeners of the machine."""
    found: list[Listener] = []
    for table in TABLES:
        try:
            found += parse_table(Path(table).read_text("ascii"))
        except FileNotFoundError:
            continue  # a kernel without IPv6
    return tuple(found)


def parse_table(text: str) -> tuple[Listener, ...]:
    """Read the listeners of one table, /proc/net/tcp or /proc/net/tcp6 (proc_net_tcp.txt of the kernel)."""
    rows = (line.split() for line in text.splitlines()[1:])
    return tuple(
        Listener(*_address(row[1]), uid=int(row[7]), inode=int(row[9]))
        for row in rows
        if len(row) > 9 and row[3] == LISTEN
    )


def _address(field: str) -> tuple[str, int]:
    digits, _, port = field.partition(":")
    words = [int(digits[at : at + WORD], 16) for at in range(0, len(digits), WORD)]
    address = ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped), int(port, 16)
    return str(address), int(port, 16)


def owned_by(pid: int) -> tuple[Owned, ...]:
    """Find the listeners of a process, its descendants and its session; what may not be read is left out."""
    found = {listener.inode: listener for listener in listeners()}
    owned: list[Owned] = []
    for member in sorted(_family(pid, processes())):
        owned += [
            Owned(member, found[inode].address, found[inode].port, inode)
            for inode in sorted(set(sockets(member)))
            if inode in found
        ]
    return tuple(owned)


def processes() -> dict[int, Process]:
    """Read all processes by pid."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                stat = Path(entry.path, "stat").read_bytes()
            except OSError:
                continue  # it ended meanwhile, or is hidden from us
            fields = stat[stat.rindex(b")") + 2 :].split()
            found[int(entry.name)] = Process(
                int(fields[PARENT_FIELD]), int(fields[SESSION_FIELD]), int(fields[START_FIELD])
            )
    return found


def _family(pid: int, found: Mapping[int, Process]) -> set[int]:
    family = {member for member, one in found.items() if pid in (member, one.session)}
    newest = family
    while newest:
        newest = {member for member, one in found.items() if one.parent in newest} - family
        family |= newest
    return family


def sockets(pid: int) -> Iterator[int]:
    """Give the inodes of the sockets that a process has open; none where we may not look."""
    try:
        links = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return  # it ended, or became another user's
    for link in links:
        try:
            target = str(link.readlink())
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            yield int(target[8:-1])


def holder(inodes: Collection[int]) -> int | None:
    """Find the oldest process that has one of these sockets open; None when nobody whom we may look at has."""
    pids = sorted(int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())
    return next((pid for pid in pids if not set(inodes).isdisjoint(sockets(pid))), None)


def print_owned(pid: int) -> None:
    """Be the child that runs as the app's user: print one JSON line per listener of a process and its family."""
    for owned in owned_by(pid):
        os.write(1, json.dumps(owned._asdict()).encode() + b"\n")


def read_report(text: str) -> tuple[Owned, ...]:
    """Read what such a child printed; raises TakoError when it is something else."""
    try:
        rows = [json.loads(line) for line in text.splitlines()[:REPORT_LIMIT]]
        return tuple(Owned(int(row["pid"]), str(row["address"]), int(row["port"]), int(row["inode"])) for row in rows)
    except (ValueError, KeyError, TypeError) as error:
        raise TakoError(f"the look at an instance's ports printed {text[:200]!r}") from error


def judge(table: Collection[Listener], port: int, uid: int | None, mine: Collection[Owned]) -> Ownership:
    """Decide whose a port is.

    table: all listeners; uid: the app's user, None when rootless; mine: the listeners of the instance's processes,
    by their own word: it counts only where the kernel names the same user.
    """
    own = {owned.inode for owned in mine}
    here = [row for row in table if row.port == port and row.address in LOOPBACK]
    strangers = [row for row in here if row.inode not in own or (uid is not None and row.uid != uid)]
    kept = [row for row in here if row not in strangers]
    return Ownership(
        ok=bool(kept) and not strangers,
        held=_held(strangers[0], uid) if strangers else "",
        wildcard=any(row.address in WILDCARDS for row in kept),
        elsewhere=tuple(sorted({_text(owned) for owned in mine if owned.inode not in {row.inode for row in here}})),
    )


def _held(row: Listener, uid: int | None) -> str:
    if row.uid == uid or uid is None:
        holder = f"another process of {user_words(row.uid)}"
    else:
        holder = f"a process of {user_words(row.uid)}"
    return f"port {row.port} is held by {holder} (it listens on {_text(row)})"


def user_words(uid: int) -> str:
    """Name a user: `the user www-data`, else `uid 70001`."""
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"uid {uid}"


def _text(one: Listener | Owned) -> str:
    return f"[{one.address}]:{one.port}" if ":" in one.address else f"{one.address}:{one.port}"
