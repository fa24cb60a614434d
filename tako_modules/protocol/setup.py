"""What the programs `__install__` and `__uninstall__` are asked on their stdin, and what they answer.

They run as root on a machine that has no server yet, or soon has none: one JSON document in, then the lines of
`replies` out: `step` events, and the final one with a `SetupData`.
"""

from typing import TypeVar

import msgspec

from .errors import UNREADABLE, MessageError

__all__ = ["InstallRequest", "RemoveRequest", "SetupData", "decode_setup"]

T = TypeVar("T")


class InstallRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make this machine a server, or only tell the steps (`apply` false).

    public_keys: lines of an authorized_keys file, type and data; python: the interpreter that runs the server.
    """

    apply: bool
    public_keys: tuple[str, ...] = ()
    python: str = "/usr/bin/python3"


class RemoveRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take the server away again; purge: its apps' data too, instead of moving it to the trash."""

    apply: bool
    delete_apps: bool = False
    purge: bool = False


class SetupData(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or would be: the steps in words, and what else a person should know; build: that is installed.

    problems: why it cannot be done, as (message, hint): nothing was changed then.
    """

    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    build: str = ""
    apps: tuple[str, ...] = ()


def decode_setup(data: bytes, kind: type[T]) -> T:
    """Read a request; raises MessageError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except UNREADABLE as error:
        raise MessageError(f"the request cannot be read: {error}") from error
