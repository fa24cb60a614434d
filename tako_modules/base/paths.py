"""Every literal path, in one place: TAKO_HOME on the user's machine, the data directory on a server."""

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DATA_DIR", "SOCKET", "AppPaths", "Home", "ServerPaths", "home", "local_data_dir", "local_socket"]

DATA_DIR = Path("/opt/tako")
SOCKET = Path("/var/run/tako/tako.sock")


@dataclass(frozen=True, slots=True)
class Home:
    """TAKO_HOME: what one user keeps across projects."""

    root: Path

    @property
    def inventory(self) -> Path:
        """The user's servers."""
        return self.root / "config.toml"

    @property
    def known_hosts(self) -> Path:
        """Host keys that were accepted through tako."""
        return self.root / "known_hosts"

    @property
    def authority(self) -> Path:
        """The local certificate authority: ca.crt and ca.key."""
        return self.root / "ca"

    @property
    def errors(self) -> Path:
        """Tracebacks of our own bugs, one file each."""
        return self.root / "errors"

    @property
    def local(self) -> Path:
        """The built-in server `local`: its lock, socket and log."""
        return self.root / "local"


def home() -> Home:
    """Find TAKO_HOME: the variable, else `~/.tako`."""
    named = os.environ.get("TAKO_HOME", "").strip()
    return Home(Path(named) if named else Path.home() / ".tako")


def local_data_dir() -> Path:
    """Where the built-in server `local` keeps its data."""
    named = os.environ.get("XDG_DATA_HOME", "").strip()
    return (Path(named) if named else Path.home() / ".local/share") / "tako"


def local_socket() -> Path:
    """Where the built-in server `local` listens: the user's runtime directory, else TAKO_HOME."""
    named = os.environ.get("XDG_RUNTIME_DIR", "").strip()
    return Path(named) / "tako/tako.sock" if named and Path(named).is_dir() else home().local / "tako.sock"


@dataclass(frozen=True, slots=True)
class ServerPaths:
    """A server's data directory, as the seed lays it out."""

    root: Path

    @property
    def database(self) -> Path:
        """The control process' state."""
        return self.root / "runtime-state.sqlite3"

    @property
    def lock(self) -> Path:
        """The flock that keeps control processes from being two."""
        return self.root / "control.lock"

    @property
    def certificates(self) -> Path:
        """One folder per domain with fullchain.pem and privkey.pem."""
        return self.root / "certs"

    @property
    def logs(self) -> Path:
        """One folder per deployment with what its instances printed, and the access log."""
        return self.root / "logs"

    @property
    def uploads(self) -> Path:
        """Partial artifacts, one folder per deployment."""
        return self.root / "uploads"

    @property
    def caches(self) -> Path:
        """Download caches of dependency installs, one folder per deployment."""
        return self.root / "cache"

    @property
    def temporary(self) -> Path:
        """TMPDIR of each deployment's processes."""
        return self.root / "tmp"

    @property
    def trash(self) -> Path:
        """Where `delete` moves data that was not purged."""
        return self.root.with_name(self.root.name + "-trash")

    def app(self, ident: str) -> "AppPaths":
        """The folders of one deployment."""
        return AppPaths(self.root / "apps" / ident)


@dataclass(frozen=True, slots=True)
class AppPaths:
    """One deployment's folders on a server."""

    root: Path

    @property
    def current(self) -> Path:
        """The link to the serving release."""
        return self.root / "current"

    @property
    def releases(self) -> Path:
        """One folder per version."""
        return self.root / "releases"

    @property
    def lock(self) -> Path:
        """Whose lease it is, for people who look."""
        return self.root / ".deploy_lock"

    @property
    def logs(self) -> Path:
        """The app's own log files, shared by all releases."""
        return self.root / "shared" / "logs"

    @property
    def data(self) -> Path:
        """What the app keeps: its HOME and TAKO_DATA_DIR."""
        return self.root / "shared" / "data"

    def release(self, version: str) -> Path:
        """The folder of one version."""
        return self.releases / version
