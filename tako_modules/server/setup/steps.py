"""The steps of setting up and of taking away: frozen values with words, carried out by `apply`."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from tako_modules.base.text import size_text

from . import layout

__all__ = [
    "Access",
    "ApplyTmpfiles",
    "CopyArchive",
    "DisableUnit",
    "DropEmptyFolder",
    "DropFile",
    "DropGroup",
    "DropTree",
    "DropUser",
    "EnableUnit",
    "JoinGroup",
    "KeepData",
    "Link",
    "LoadNft",
    "MakeFolder",
    "MakeGroup",
    "MakeUser",
    "ReloadUnits",
    "SetAccess",
    "StartUnit",
    "Step",
    "StopUnit",
    "UnloadNft",
    "Unpack",
    "WriteFile",
]


@dataclass(frozen=True, slots=True)
class Access:
    """Whose a path is, and its mode."""

    mode: int = 0o755
    user: str = "root"
    group: str = "root"

    @property
    def words(self) -> str:
        """Name it for a person."""
        return f"{self.user}:{self.group} {self.mode:04o}"


@dataclass(frozen=True, slots=True)
class MakeGroup:
    """Make a system group."""

    name: str

    @property
    def text(self) -> str:
        """The step in words."""
        return f"make the group {self.name}"


@dataclass(frozen=True, slots=True)
class MakeUser:
    """Make a system user without a password; group: its first one, a group of its own when empty."""

    name: str
    comment: str
    home: str
    shell: str
    group: str = ""

    @property
    def text(self) -> str:
        """The step in words."""
        return f"make the user {self.name} (no password, shell {self.shell}{', group ' * bool(self.group)}{self.group})"


@dataclass(frozen=True, slots=True)
class JoinGroup:
    """Put a user into one more group."""

    user: str
    group: str

    @property
    def text(self) -> str:
        """The step in words."""
        return f"put the user {self.user} into the group {self.group}"


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """Make a folder."""

    path: PurePosixPath
    access: Access

    @property
    def text(self) -> str:
        """The step in words."""
        return f"make the folder {self.path} ({self.access.words})"


@dataclass(frozen=True, slots=True)
class SetAccess:
    """Give a path its owner and mode."""

    path: PurePosixPath
    access: Access

    @property
    def text(self) -> str:
        """The step in words."""
        return f"set {self.path} to {self.access.words}"


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Write a file whole."""

    path: PurePosixPath
    content: str
    access: Access

    @property
    def text(self) -> str:
        """The step in words."""
        return f"write {self.path} ({self.access.words})"


@dataclass(frozen=True, slots=True)
class CopyArchive:
    """Copy the running archive to where the server is started from."""

    source: str
    path: PurePosixPath

    @property
    def text(self) -> str:
        """The step in words."""
        return f"write {self.path} (this very program)"


@dataclass(frozen=True, slots=True)
class Unpack:
    """Unpack and compile an archive's runtime beside it."""

    archive: PurePosixPath
    python: str

    @property
    def text(self) -> str:
        """The step in words."""
        return f"unpack it into {self.archive.parent / layout.RUNTIME}"


@dataclass(frozen=True, slots=True)
class Link:
    """Make a symbolic link, or lead one elsewhere."""

    path: PurePosixPath
    target: str

    @property
    def text(self) -> str:
        """The step in words."""
        return f"link {self.path} -> {self.target}"


@dataclass(frozen=True, slots=True)
class ApplyTmpfiles:
    """Make what the tmpfiles.d file names, as the next boot will."""

    path: PurePosixPath

    @property
    def text(self) -> str:
        """The step in words."""
        return f"make the folder {layout.SOCKET.parent} by {self.path}"


@dataclass(frozen=True, slots=True)
class ReloadUnits:
    """Let systemd read its unit files again."""

    @property
    def text(self) -> str:
        """The step in words."""
        return "let systemd read its units again"


@dataclass(frozen=True, slots=True)
class EnableUnit:
    """Start the service at every boot."""

    @property
    def text(self) -> str:
        """The step in words."""
        return f"enable {layout.SERVICE}: it starts with the machine"


@dataclass(frozen=True, slots=True)
class StartUnit:
    """Start the service, again when it runs, and wait until the server answers."""

    again: bool = False

    @property
    def text(self) -> str:
        """The step in words."""
        ports = " and ".join(map(str, layout.PORTS))
        return f"{'restart' if self.again else 'start'} {layout.SERVICE} on ports {ports}, wait until it answers"


@dataclass(frozen=True, slots=True)
class LoadNft:
    """Load the firewall table that keeps apps' ports to the machine itself."""

    nft: str

    @property
    def text(self) -> str:
        """The step in words."""
        return f"load the nft table {' '.join(layout.NFT_TABLE)} (apps' ports are not reachable from outside)"


@dataclass(frozen=True, slots=True)
class StopUnit:
    """Stop the service and with it every app."""

    @property
    def text(self) -> str:
        """The step in words."""
        return f"stop {layout.SERVICE} and with it every app"


@dataclass(frozen=True, slots=True)
class DisableUnit:
    """Start the service no longer with the machine."""

    @property
    def text(self) -> str:
        """The step in words."""
        return f"disable {layout.SERVICE}"


@dataclass(frozen=True, slots=True)
class UnloadNft:
    """Take the firewall table away."""

    nft: str

    @property
    def text(self) -> str:
        """The step in words."""
        return f"delete the nft table {' '.join(layout.NFT_TABLE)}"


@dataclass(frozen=True, slots=True)
class KeepData:
    """Move an app's data to the trash; size in bytes; stamp: the time in its new name."""

    app: str
    size: int
    stamp: str

    @property
    def target(self) -> PurePosixPath:
        """Where it goes."""
        return layout.TRASH / f"{self.app}-{self.stamp}"

    @property
    def text(self) -> str:
        """The step in words."""
        return f"move the data of {self.app} ({size_text(self.size)}) to {self.target}"


@dataclass(frozen=True, slots=True)
class DropTree:
    """Remove a folder and all that is in it; size: of data in it that is lost for ever, in bytes; others: of people."""

    path: PurePosixPath
    size: int = 0
    others: str = ""

    @property
    def text(self) -> str:
        """The step in words."""
        data = f"{size_text(self.size)} of apps' data" if self.size else ""
        lost = " and ".join(filter(None, (data, self.others)))
        return f"remove the folder {self.path}" + (f" with {lost}" if lost else "")


@dataclass(frozen=True, slots=True)
class DropFile:
    """Remove a file or a link."""

    path: PurePosixPath

    @property
    def text(self) -> str:
        """The step in words."""
        return f"remove {self.path}"


@dataclass(frozen=True, slots=True)
class DropEmptyFolder:
    """Remove a folder that was made by us and holds nothing of others."""

    path: PurePosixPath

    @property
    def text(self) -> str:
        """The step in words."""
        return f"remove the folder {self.path} if it is empty"


@dataclass(frozen=True, slots=True)
class DropUser:
    """Remove a user, and the group that was made with it."""

    name: str

    @property
    def text(self) -> str:
        """The step in words."""
        return f"remove the user {self.name}"


@dataclass(frozen=True, slots=True)
class DropGroup:
    """Remove a group."""

    name: str

    @property
    def text(self) -> str:
        """The step in words."""
        return f"remove the group {self.name}"


Step = (
    MakeGroup | MakeUser | JoinGroup | MakeFolder | SetAccess | WriteFile | CopyArchive | Unpack | Link | ApplyTmpfiles
    | ReloadUnits | EnableUnit | StartUnit | LoadNft | StopUnit | DisableUnit | UnloadNft | KeepData | DropTree
    | DropFile | DropEmptyFolder | DropUser | DropGroup
)  # fmt: skip
