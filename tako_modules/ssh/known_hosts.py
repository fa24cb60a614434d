"""Host keys that are known, each with the file and line that says so (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

Names are matched, addresses are not, as OpenSSH does by default since 8.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tako_modules.base import files
from tako_modules.base.errors import TakoError

from .library import asyncssh

__all__ = ["GLOBAL", "KnownHosts", "KnownKeys", "add", "line_of", "read"]

DEFAULT_PORT = 22
GLOBAL = Path("/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a known_hosts file."""

    source: str
    number: int
    text: str

    @property
    def place(self) -> str:
        """Where it stands: file:line."""
        return f"{self.source}:{self.number}"


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """What the files say of one host: keys to trust with their places, authorities, and keys that are revoked."""

    trusted: tuple[tuple[asyncssh.SSHKey, Line], ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()

    def places(self, algorithm: bytes) -> list[str]:
        """Tell where keys of the host stand: those of one kind, else all."""
        same = [line.place for key, line in self.trusted if key.algorithm == algorithm]
        return same or [line.place for _, line in self.trusted]


class KnownHosts:
    """All known_hosts files together; lines that cannot be read are passed over, as OpenSSH does."""

    def __init__(self, sources: Sequence[tuple[str, str]]) -> None:
        """Take (name, text) of each file, in order."""
        self._lines = [
            Line(name, number, text.strip())
            for name, whole in sources
            for number, text in enumerate(whole.splitlines(), 1)
            if text.strip() and not text.lstrip().startswith("#")
        ]

    def find(self, host: str, port: int) -> KnownKeys:
        """Find a host's keys: its entry with the port, or with a bare name for port 22."""
        return self._match(host, None if port == DEFAULT_PORT else port)

    def find_without_port(self, host: str) -> KnownKeys:
        """Find what the bare name has: enough to trust a key on another port, but not to distrust one."""
        return self._match(host, None)

    def _match(self, host: str, port: int | None) -> KnownKeys:
        trusted: list[tuple[asyncssh.SSHKey, Line]] = []
        authorities: list[asyncssh.SSHKey] = []
        revoked: list[asyncssh.SSHKey] = []
        pattern = host if port is None else f"[{host}]:{port}"
        for line in self._lines:
            try:
                found = asyncssh.import_known_hosts(line.text).match(pattern, "", None)
            except ValueError:
                continue
            trusted += [(key, line) for key in found[0]]
            authorities += found[1]
            revoked += found[2]
        return KnownKeys(tuple(trusted), tuple(authorities), tuple(revoked))


def read(paths: Sequence[Path], given: str) -> KnownHosts:
    """Read files, those that are missing aside, and what TAKO_KNOWN_HOSTS holds: lines, or the path of a file."""
    sources = [(str(path), _read(path)) for path in paths]
    if given.strip():
        is_text = " " in given.strip()
        sources.append(("TAKO_KNOWN_HOSTS", given) if is_text else (given, _read_named(Path(given).expanduser())))
    return KnownHosts(sources)


def line_of(host: str, port: int, key: asyncssh.SSHKey) -> str:
    """Write the line that makes a key known, without its end."""
    pattern = host if port == DEFAULT_PORT else f"[{host}]:{port}"
    kind, data, *_ = key.export_public_key().decode().split()
    return f"{pattern} {kind} {data}"


def add(path: Path, host: str, port: int, key: asyncssh.SSHKey) -> None:
    """Remember a key that was accepted."""
    line = f"{line_of(host, port, key)}\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with files.file_lock(path.with_name(f".{path.name}.lock")):  # several servers are added at once
            before = _read(path)
            if before and not before.endswith("\n"):
                before += "\n"
            files.write_atomic(path, (before + line).encode(), 0o600)
    except OSError as error:
        raise TakoError(f"cannot remember the host key in {path}: {error.strerror}") from error


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _read_named(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise TakoError(
            f"TAKO_KNOWN_HOSTS names {path}, which cannot be read: {error.strerror}",
            hint="set it to the lines of a known_hosts file, or to the path of one",
        ) from error
