"""What a machine is like before anything is changed: plain values, so that plans can be made and tested anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

__all__ = ["Account", "Entry", "Holder", "Machine", "Program", "Receipt"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is at a path; kind: file, folder, link or other; detail: a file's SHA-256, a link's target."""

    kind: str
    mode: int = 0o755
    user: str = "root"
    group: str = "root"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the machine; comment: its GECOS; groups: all of them, the first one first."""

    comment: str
    home: str
    shell: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who listens on a port; unit: its systemd service, "" when it has none."""

    pid: int
    program: str
    unit: str = ""

    @property
    def words(self) -> str:
        """Name it for a person."""
        return f"{self.program} (pid {self.pid}{f', {self.unit}' if self.unit else ''})"


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation made, and only that goes again; kept in a file, written before the first of them is made."""

    paths: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """The archive that runs, and that is to be installed; runtime: the name of its unpacked folder."""

    build: str
    archive: str
    digest: str
    runtime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """All that plans ask of a machine; entries: path → what is there, absent ones left out.

    nft: the program's path, "" when it is not installed; apps: deployment id → bytes of its data; trash: bytes of older
    data there, None for no folder; strangers: what is in the data folder when no installation of ours made it;
    certificates: domains that have files of theirs below it; home: what the login user's holds beside its keys.
    """

    is_systemd: bool = True
    entries: Mapping[str, Entry] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()
    is_enabled: bool = False
    is_active: bool = False
    is_failed: bool = False
    is_stale: bool = False
    holders: Mapping[int, Holder] = field(default_factory=dict)
    nft: str = ""
    is_nft_loaded: bool = False
    receipt: Receipt | None = None
    apps: Mapping[str, int] = field(default_factory=dict)
    trash: int | None = None
    strangers: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    home: tuple[str, ...] = ()

    def is_made(self, path: str) -> bool:
        """Whether an installation made this path; without a receipt nobody knows, and it counts as not made."""
        return self.receipt is not None and path in self.receipt.paths
