"""Where to log in, as whom, and with what: values for a connection."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tako_modules.base.errors import Unreachable

__all__ = ["Access", "HostKeyProblem", "Login", "LoginRefused", "Question"]


class HostKeyProblem(Unreachable):
    """A host's key is unknown, has changed, or is not the one that was named."""

    code = "host_key"


class LoginRefused(Unreachable):
    """A host lets nobody in with the keys at hand."""

    code = "login_refused"


@dataclass(frozen=True, slots=True)
class Login:
    """A host to log in to; port 22 and no user mean that `~/.ssh/config` may say otherwise.

    name: in the inventory, or typed for it; is_new: `servers add` is about it, and all of this was typed.
    """

    host: str
    port: int = 22
    user: str = ""
    name: str = ""
    is_new: bool = False

    @property
    def label(self) -> str:
        """How messages call it."""
        return self.name or self.host


@dataclass(frozen=True, slots=True)
class Question:
    """An unknown host key, for a person to decide on; fingerprint: `SHA256:…`; kind: e.g. ssh-ed25519."""

    host: str
    port: int
    kind: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Access:
    """What a person, a terminal and the environment give to every connection.

    host_key: the one fingerprint to accept; accept_new: accept any that is not known yet; ask: put the question to a
    person, None without a terminal; passphrase: ask for a key file's, "" means none; environment: TAKO_SSH_KEY,
    TAKO_SSH_KEY_PASSPHRASE, TAKO_KNOWN_HOSTS and SSH_AUTH_SOCK are read of it; user_folder: `~/.ssh`; accepted: where
    accepted keys are kept, TAKO_HOME/known_hosts.
    """

    user_folder: Path
    accepted: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    host_key: str = ""
    accept_new: bool = False
    ask: Callable[[Question], Awaitable[bool]] | None = None
    passphrase: Callable[[Path], Awaitable[str]] | None = None

    @property
    def config(self) -> Path:
        """The user's own SSH configuration."""
        return self.user_folder / "config"
