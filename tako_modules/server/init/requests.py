"""What control may ask, one frozen value per request; `read` is strict: a mistake here would be made as root."""

import binascii
import signal
from collections.abc import Callable, Mapping
from typing import NamedTuple

from .fields import Fields, Refused
from .launch import Identity

__all__ = [
    "INSTANCE",
    "TASK",
    "WORKER",
    "Ack",
    "Kill",
    "Named",
    "Reexec",
    "Request",
    "Retire",
    "Spawn",
    "Status",
    "Stopped",
    "StoreSnapshot",
    "Worker",
    "read",
]

WORKER, INSTANCE, TASK = "worker", "instance", "task"
GROUP, PROCESS = "group", "process"
IDS = (1 << 32) - 2  # the highest uid and gid; the one above means "leave it as it is"
PIDS = 1 << 22  # PID_MAX_LIMIT of 64-bit Linux
TICKS = 1 << 63  # a start time fits in 64 bits
UMASK, NOFILE, NICE, OOM = 0o777, 1 << 30, 20, 1000  # bounds of the kernel's own
PACKET_LIMIT = 1 << 16  # bytes of a snapshot's packet: the snapshot itself is in the memfd
STATUS_LIMIT = 1024  # characters shown by systemctl


class Named(NamedTuple):
    """A process, named for ever: a pid alone may belong to another one by now."""

    pid: int
    start: int


class Spawn(NamedTuple):
    """Start an instance or a one-shot task."""

    id: str
    kind: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    identity: Identity | None
    umask: int
    nofile: int | None
    cgroups: tuple[str, ...]
    oom_score_adj: int | None
    nice: int | None
    stdin: bool


class Kill(NamedTuple):
    """Send a signal to a child, or to its whole process group."""

    process: Named
    signal: int
    scope: str


class Ack(NamedTuple):
    """Forget an exit report."""

    process: Named


class Worker(NamedTuple):
    """Start one more worker of this id, to replace the one that serves."""

    id: str


class Retire(NamedTuple):
    """Let a worker finish; it is not replaced."""

    process: Named


class StoreSnapshot(NamedTuple):
    """Keep the memfd beside this packet, for workers that start."""

    packet: bytes


class Reexec(NamedTuple):
    """Go on as another file, or with other options; None: as before."""

    file: str | None = None
    argv: tuple[str, ...] | None = None


class Status(NamedTuple):
    """Show one line in `systemctl status`."""

    text: str


class Stopped(NamedTuple):
    """Everything has finished: end."""


Request = Spawn | Kill | Ack | Worker | Retire | StoreSnapshot | Reexec | Status | Stopped


def read(fields: Fields, op: str, descriptors: int) -> Request:
    """Read the members of a request whose `op` was taken; raises Refused, naming the member."""
    reader = READERS.get(op)
    if reader is None:
        raise Refused("unknown op")
    request = reader(fields)
    fields.end()
    wanted = 1 if isinstance(request, StoreSnapshot) or (isinstance(request, Spawn) and request.stdin) else 0
    if descriptors != wanted:
        raise Refused(f"{descriptors} descriptors instead of {wanted}")
    return request


def _spawn(fields: Fields) -> Spawn:
    argv = fields.texts("argv")
    if not argv or not argv[0]:
        raise Refused("argv is empty")
    return Spawn(
        id=fields.word("id"),
        kind=fields.choice("kind", (INSTANCE, TASK), INSTANCE),
        argv=argv,
        env=fields.variables("env"),
        cwd=fields.text("cwd"),
        identity=_identity(fields),
        umask=fields.number("umask", 0, UMASK, 0o077),
        nofile=fields.some_number("nofile", 1, NOFILE),
        cgroups=fields.texts("cgroups"),
        oom_score_adj=fields.some_number("oom_score_adj", -OOM, OOM),
        nice=fields.some_number("nice", -NICE, NICE - 1),
        stdin=fields.flag("stdin"),
    )


def _identity(fields: Fields) -> Identity | None:
    if not fields.has("uid") and not fields.has("gid"):
        if fields.numbers("groups", 0, IDS):
            raise Refused("groups without uid and gid")
        return None
    return Identity(fields.number("uid", 0, IDS), fields.number("gid", 0, IDS), fields.numbers("groups", 0, IDS))


def _named(fields: Fields) -> Named:
    return Named(fields.number("pid", 1, PIDS), fields.number("start", 0, TICKS))


def _kill(fields: Fields) -> Kill:
    return Kill(
        _named(fields),
        fields.number("signal", 1, signal.NSIG - 1),
        fields.choice("scope", ("", GROUP, PROCESS), ""),
    )


def _snapshot(fields: Fields) -> StoreSnapshot:
    try:
        packet = binascii.a2b_base64(fields.text("packet").encode(), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Refused(f"packet is not base64: {error}") from error
    if not 0 < len(packet) <= PACKET_LIMIT:
        raise Refused(f"packet has not 1 to {PACKET_LIMIT} bytes")
    return StoreSnapshot(packet)


def _reexec(fields: Fields) -> Reexec:
    return Reexec(
        file=fields.text("file") if fields.has("file") else None,
        argv=fields.texts("argv") if fields.has("argv") else None,
    )


READERS: Mapping[str, Callable[[Fields], Request]] = {
    "spawn": _spawn,
    "kill": _kill,
    "ack": lambda fields: Ack(_named(fields)),
    "worker": lambda fields: Worker(fields.word("id")),
    "retire": lambda fields: Retire(_named(fields)),
    "snapshot": _snapshot,
    "reexec": _reexec,
    "status": lambda fields: Status(fields.text("text")[:STATUS_LIMIT]),
    "stopped": lambda _: Stopped(),
}
