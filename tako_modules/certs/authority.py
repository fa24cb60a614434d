"""The local certificate authority: one per user, under TAKO_HOME/ca, trusted by nobody until a person says so."""

import getpass
import socket
from dataclasses import dataclass
from pathlib import Path

from tako_modules.base import files
from tako_modules.base.errors import TakoError

from .pair import BadPair, Pair

__all__ = ["Authority", "open_authority"]

DAYS = 3650  # of the root: a person trusts it once, by hand
RENEWAL = 90 * 86400  # seconds: what it issues lasts this long, so it must too


@dataclass(frozen=True, slots=True)
class Authority:
    """A root that signs hosts' certificates; certificate: its file, for trust stores; fingerprint: SHA-256, hex."""

    certificate: Path
    fingerprint: str
    root: Pair

    def issue(self, names: tuple[str, ...], *, now: float, days: int = 90) -> Pair:
        """Make a certificate for host names, `*.` patterns or addresses, the root in its chain; now: wall time."""
        from cryptography.hazmat.primitives.asymmetric import ec

        from . import minting, parsing

        signing = parsing.load_key(self.root.key)
        assert isinstance(signing, ec.EllipticCurvePrivateKey), "checked when the authority was opened"
        signer = minting.Signer(certificate=parsing.load_chain(self.root.chain)[0], key=signing)
        key = minting.new_key()
        leaf = minting.new_leaf(names, key, signer, now=now, days=days)
        return Pair(chain=minting.certificate_pem(leaf) + self.root.chain, key=minting.key_pem(key))


def open_authority(folder: Path, *, now: float) -> Authority:
    """Read the authority of a folder, or make it: ca.crt (0644) and ca.key (0600).

    Raises TakoError when it has expired or one of its files is missing or wrong.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with files.file_lock(folder / ".lock"):  # two first starts at once must not make two
            return _read(folder, now) if (folder / "ca.crt").exists() else _make(folder, now)
    except OSError as error:
        raise TakoError(f"cannot keep the local certificate authority in {folder}: {error.strerror}") from error


def _make(folder: Path, now: float) -> Authority:
    from . import minting

    key = minting.new_key()
    root = minting.new_root(f"Tako local authority of {_owner()}", key, now=now, days=DAYS)
    pair = Pair(chain=minting.certificate_pem(root), key=minting.key_pem(key))
    files.write_atomic(folder / "ca.key", pair.key.encode(), 0o600)
    files.write_atomic(folder / "ca.crt", pair.chain.encode(), 0o644)  # last: with it the authority exists
    return _authority(folder, pair)


def _read(folder: Path, now: float) -> Authority:
    hint = f"to make a new one remove {folder}; clients that trust the old one must then be told again"
    key = folder / "ca.key"
    if not key.exists():
        raise TakoError(f"{key} is missing, but its certificate is there", hint=f"put it back; {hint}")
    if key.stat().st_mode & 0o077:
        key.chmod(0o600)
    try:
        pair = Pair(chain=(folder / "ca.crt").read_text(), key=key.read_text())
        expires = _check(pair)
    except (BadPair, UnicodeDecodeError) as error:
        raise TakoError(f"the local certificate authority in {folder} cannot be read: {error}", hint=hint) from error
    if expires < now + RENEWAL:
        raise TakoError(f"the local certificate authority in {folder} has expired, or will soon", hint=hint)
    return _authority(folder, pair)


def _check(pair: Pair) -> float:
    """Tell when an authority expires (wall time); raises BadPair when its files are not what we make."""
    from cryptography.hazmat.primitives.asymmetric import ec

    from . import parsing

    certificate, key = parsing.load_chain(pair.chain)[0], parsing.load_key(pair.key)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadPair("ca.key is not an elliptic curve's key")
    if key.public_key() != certificate.public_key():
        raise BadPair("ca.key and ca.crt do not belong together")
    return certificate.not_valid_after_utc.timestamp()


def _authority(folder: Path, pair: Pair) -> Authority:
    from cryptography.hazmat.primitives import hashes

    from . import parsing

    fingerprint = parsing.load_chain(pair.chain)[0].fingerprint(hashes.SHA256()).hex()
    return Authority(certificate=folder / "ca.crt", fingerprint=fingerprint, root=pair)


def _owner() -> str:
    try:
        return f"{getpass.getuser()} on {socket.gethostname()}"
    except (OSError, KeyError):  # a user without a name, as in containers
        return socket.gethostname()
