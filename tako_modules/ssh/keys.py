"""The keys to log in with: TAKO_SSH_KEY alone, or the agent's and those of `~/.ssh`.

A key with a passphrase is opened by TAKO_SSH_KEY_PASSPHRASE at once, by a question only when nothing else let us in.
"""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tako_modules.base.errors import TakoError

from .library import asyncssh
from .login import Access

__all__ = ["Identities", "Keys", "Offer", "find_keys", "public_line", "unlock", "with_agent"]

PATH_LIMIT = 200  # characters: the shortest private key in base64 alone has more
DEFAULT_NAMES = ("id_ed25519", "id_ecdsa", "id_rsa")
Offer = asyncssh.SSHKey | asyncssh.SSHKeyPair | tuple[asyncssh.SSHKey, str]
_UNUSABLE = (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError)


@dataclass(frozen=True, slots=True)
class Identities:
    """What the configuration says of keys: files, whether only those may be offered, and the agent's socket."""

    files: tuple[str, ...] = ()
    only: bool = False
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that can be offered, files that need a passphrase first, and the agent's socket ("" for none).

    names: words for each usable key; agent_only: public keys that the agent may offer, None for all of them.
    """

    usable: tuple[Offer, ...] = ()
    names: tuple[str, ...] = ()
    locked: tuple[Path, ...] = ()
    agent: str = ""
    agent_only: tuple[bytes, ...] | None = None

    @property
    def tried(self) -> str:
        """Words for a person: what was offered, and what was not."""
        offered = ", ".join(["the agent's keys"] * bool(self.agent) + list(self.names))
        words = offered or "no key, for none was found"
        if self.locked:
            words += f"; not tried, since locked by a passphrase: {', '.join(map(str, self.locked))}"
        return words


def find_keys(access: Access, identities: Identities) -> Keys:
    """Collect the keys for a login; raises TakoError when TAKO_SSH_KEY cannot be used."""
    given = access.environment.get("TAKO_SSH_KEY", "").strip()
    passphrase = access.environment.get("TAKO_SSH_KEY_PASSPHRASE") or None
    if given:
        return Keys(usable=(_given_key(given, passphrase),), names=("TAKO_SSH_KEY",))
    paths = [Path(name).expanduser() for name in identities.files]
    paths = paths or [access.user_folder / name for name in DEFAULT_NAMES]
    found = Keys(
        agent="" if identities.agent in ("", "none") else str(Path(identities.agent).expanduser()),
        agent_only=tuple(_public_keys(paths)) if identities.only else None,
    )
    for path in paths:
        try:
            found = _with_key(found, path, _open(path, passphrase))
        except _UNUSABLE as error:
            if _is_locked(error):
                found = replace(found, locked=(*found.locked, path))
    return found


async def unlock(keys: Keys, access: Access) -> Keys | None:
    """Ask for the passphrases of locked keys; None when nobody can be asked or none was given."""
    opened = keys
    for path in keys.locked if access.passphrase is not None else ():
        phrase = await access.passphrase(path) if access.passphrase is not None else ""
        if not phrase:
            continue
        try:
            opened = _with_key(opened, path, _open(path, phrase))
        except _UNUSABLE as error:
            raise TakoError(
                f"{path} cannot be opened: {error}", hint=f"try again, or load it with `ssh-add {path}`"
            ) from error
    return None if opened is keys else replace(opened, locked=())


@asynccontextmanager
async def with_agent(keys: Keys) -> AsyncIterator[list[Offer]]:
    """Give all keys to offer, the agent's first; its connection stays open while the block runs."""
    agent = await _agent(keys.agent)
    if agent is None:
        yield list(keys.usable)
        return
    try:
        yield [*await _agent_keys(agent, keys.agent_only), *keys.usable]
    finally:
        agent.close()
        await agent.wait_closed()


def public_line(offer: Offer) -> str:
    """Write an offered key's public half as in an authorized_keys file, no comment; "" for a certificate alone."""
    key = offer[0] if isinstance(offer, tuple) else offer
    data = key.public_data
    kind = data[4 : 4 + int.from_bytes(data[:4], "big")].decode("ascii", "replace")  # RFC 4253, 6.6
    return "" if "-cert-" in kind else f"{kind} {base64.b64encode(data).decode()}"


async def _agent(path: str) -> asyncssh.SSHAgentClient | None:
    if not path:
        return None
    try:
        return await asyncssh.connect_agent(path)
    except (OSError, asyncssh.ChannelOpenError):
        return None  # a variable that outlived its agent: the files are still there


async def _agent_keys(agent: asyncssh.SSHAgentClient, only: Sequence[bytes] | None) -> Sequence[asyncssh.SSHKeyPair]:
    try:
        return await agent.get_keys(only)
    except (ValueError, OSError):
        return ()  # an agent that answers nonsense is as good as none


def _given_key(given: str, passphrase: str | None) -> asyncssh.SSHKey:
    """Read TAKO_SSH_KEY: the key itself, also with its line breaks written as backslash-n, or the path of its file."""
    hint = (
        "set it to a private key or the path of one, such as `export TAKO_SSH_KEY=~/.ssh/id_ed25519`, "
        "and TAKO_SSH_KEY_PASSPHRASE where it needs a passphrase"
    )
    is_path = "\n" not in given and len(given) <= PATH_LIMIT
    try:
        if "PRIVATE KEY" in given:
            is_path = False
            return asyncssh.import_private_key(given.replace("\\n", "\n") + "\n", passphrase)
        if not is_path:  # its text must not be shown: it may be a key in another coat
            raise TakoError("TAKO_SSH_KEY holds neither a private key nor a path", hint=hint)
        return _open(Path(given).expanduser(), passphrase)
    except OSError as error:
        raise TakoError(f"TAKO_SSH_KEY names {given}, which cannot be read: {error.strerror}", hint=hint) from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        place = f" ({given})" if is_path else ""
        raise TakoError(f"TAKO_SSH_KEY cannot be used{place}: {error}", hint=hint) from error


def _open(path: Path, passphrase: str | None) -> asyncssh.SSHKey:
    return asyncssh.import_private_key(path.read_bytes(), passphrase)


def _is_locked(error: Exception) -> bool:
    """Tell whether a key only lacks its passphrase; the library has no class for "none was given", only these words."""
    return isinstance(error, asyncssh.KeyEncryptionError) or str(error).startswith("Passphrase must be specified")


def _with_key(keys: Keys, path: Path, key: asyncssh.SSHKey) -> Keys:
    certificate = path.with_name(f"{path.name}-cert.pub")
    offer: Offer = (key, str(certificate)) if certificate.exists() else key
    name = f"{path} ({key.get_fingerprint()})"
    return replace(keys, usable=(*keys.usable, offer), names=(*keys.names, name))


def _public_keys(paths: Sequence[Path]) -> list[bytes]:
    """Read the public halves of configured keys: the private ones may be in the agent alone."""
    found = []
    for path in paths:
        for candidate in (path.with_name(f"{path.name}.pub"), path):
            try:
                found.append(asyncssh.read_public_key(candidate).public_data)
                break
            except _UNUSABLE:
                continue
    return found
