"""The decision on a host's key: known, unknown, changed, or not the one that was named.

asyncssh asks in the middle of a handshake, where nobody can wait for a person: an unknown key ends the attempt, the
question is put outside, and the next attempt finds the answer.
"""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from tako_modules.base.errors import TakoError

from . import keys, known_hosts, problems
from .known_hosts import KnownHosts, KnownKeys
from .library import CERTIFICATE_ALGORITHMS, KEY_ALGORITHMS, asyncssh
from .login import Access, HostKeyProblem, Login, Question

__all__ = ["Judge"]

SSH_PORT = asyncssh.DEFAULT_PORT
INVENTORY = "TAKO_SERVERS"  # the variable that stands in for the inventory, see config.inventory
MESSENGER = "tako"  # the login for messages, which cannot add a server


class Judge(asyncssh.SSHClient):
    """Judges the key of one host for one attempt after another."""

    def __init__(self, login: Login, host: str, port: int, access: Access, files: Sequence[str] = ()) -> None:
        self._login = login
        self._host = host
        self._port = port
        self._access = access
        self._files = tuple(Path(name).expanduser() for name in files)
        self._known = self._read()
        self._offered: asyncssh.SSHKey | None = None
        self._offers: Iterator[keys.Offer] = iter(())
        self.last_offer: keys.Offer | None = None
        self.mismatch: HostKeyProblem | None = None
        self._passed_over: set[str] = set()

    def offer(self, found: Sequence[keys.Offer]) -> None:
        """Set the keys to log in with, for the next attempt."""
        self._offers = iter(found)

    def public_key_auth_requested(self) -> list[keys.Offer] | None:
        """Give asyncssh one key after the other: the last one that was asked for is the one that let us in."""
        self.last_offer = next(self._offers, None)
        return [self.last_offer] if self.last_offer is not None else None

    def known_keys(self, host: str, addr: str, port: int | None) -> tuple[list[asyncssh.SSHKey], ...]:
        """Give asyncssh the keys to trust without asking, the authorities' keys, and those that are revoked."""
        keys = self._keys()
        trusted = self._trusted()
        if self._access.host_key:
            trusted = [key for key in trusted if key.get_fingerprint() == self._access.host_key]
        return trusted, list(keys.authorities), list(keys.revoked)

    def algorithms(self) -> tuple[str, ...]:
        """Order the kinds of keys: those that are known first, so that a host with several shows the known one.

        Certificates are asked for only where an authority is known: no other could be believed. Kinds whose key was not
        the one that `--host-key` names are left out: a host has a key of each kind, and any of them may be named.
        """
        certificates = CERTIFICATE_ALGORITHMS if self._keys().authorities else ()
        known = [each.decode() for key in self._trusted() for each in key.sig_algorithms]
        ordered = dict.fromkeys([*certificates, *known, *KEY_ALGORITHMS])
        return tuple(each for each in ordered if each not in self._passed_over)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Remember a key that is not trusted yet; it is accepted here only when it was named beforehand."""
        self._offered = key
        return self._is_new() and self._is_accepted(key)

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Refuse certificates of authorities that no file names."""
        return False

    def remember(self) -> None:
        """Keep a key that was accepted just now."""
        if self._offered is not None:
            known_hosts.add(self._access.accepted, self._host, self._port, self._offered)
            self._known = self._read()
            self._offered = None

    async def settle(self, reason: str) -> None:
        """Decide after a handshake that failed because of the key: returns when another attempt will succeed.

        Raises HostKeyProblem, which says what to type.
        """
        key = self._offered
        if key is None or not self._is_new():
            raise self._changed(key, reason)
        question = Question(self._host, self._port, key.get_algorithm(), key.get_fingerprint())
        if self._access.host_key:
            self.mismatch = self.mismatch or HostKeyProblem(
                f"{self._host} has another key than the one named: it shows {question.fingerprint} ({question.kind}), "
                f"--host-key says {self._access.host_key}",
                hint="compare with what the machine's console prints: "
                "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`; if they differ, somebody is in between",
            )
            self._passed_over.update(each.decode() for each in key.sig_algorithms)
            if self.algorithms():
                return
            raise self.mismatch
        if self._access.ask is None:
            raise HostKeyProblem(
                f"the key of {self._host} is not known yet: {question.fingerprint} ({question.kind})",
                hint=f"check it, then {self._advice(key)}",
            )
        if not await self._access.ask(question):
            raise HostKeyProblem(f"the key of {self._host} was not accepted: {question.fingerprint}")
        self.remember()

    def _trusted(self) -> list[asyncssh.SSHKey]:
        entries = self._keys().trusted or self._known.find_without_port(self._host).trusted
        return [key for key, _ in entries]

    def _is_new(self) -> bool:
        return not self._keys().trusted

    def _is_accepted(self, key: asyncssh.SSHKey) -> bool:
        if self._access.host_key:
            return key.get_fingerprint() == self._access.host_key
        return self._access.accept_new

    def _keys(self) -> KnownKeys:
        return self._known.find(self._host, self._port)

    def _read(self) -> KnownHosts:
        given = self._access.environment.get("TAKO_KNOWN_HOSTS", "")
        user = self._files or (self._access.user_folder / "known_hosts",)
        return known_hosts.read([*user, known_hosts.GLOBAL, self._access.accepted], given)

    def _changed(self, key: asyncssh.SSHKey | None, reason: str) -> TakoError:
        places = self._keys().places(key.algorithm if key else b"")
        if not places:
            return HostKeyProblem(f"the key of {self._host} cannot be verified: {reason}")
        shown = f"it now shows {key.get_fingerprint()} ({key.get_algorithm()})" if key else reason
        return HostKeyProblem(
            f"the key of {self._host} has changed: {shown}, which is not the one in {', '.join(places)}",
            hint=f"if the machine was set up anew, remove that line{self._removal(places[0])} and try again; "
            "if not, somebody may be in between",
        )

    def _advice(self, key: asyncssh.SSHKey) -> str:
        """Word how a key becomes known where nobody can be asked."""
        login = self._login
        if self._access.environment.get(INVENTORY):  # there is no inventory to add a server to
            return f"add this line to TAKO_KNOWN_HOSTS: {known_hosts.line_of(self._host, self._port, key)}"
        if not login.is_new and not login.name:  # on the way to a server
            return f"log in there by hand with `{problems.ssh_command(login, self._port)}` and answer yes"
        user = login.user if login.is_new or login.user != MESSENGER else "root"
        command = f"`{problems.add_command(login, user)} --host-key {key.get_fingerprint()}`"
        if login.is_new:
            return f"run {command}, or trust it unseen with `--accept-new-host-key` in place of `--host-key …`"
        return f"run the same command at a terminal and answer yes, or run {command}"

    def _removal(self, place: str) -> str:
        """Name the command that takes the host's lines out of a file; "" where they stand in a variable."""
        file = place.rpartition(":")[0]
        name = self._host if self._port == SSH_PORT else f"[{self._host}]:{self._port}"
        return f" with `ssh-keygen -f {shlex.quote(file)} -R {shlex.quote(name)}`" if Path(file).is_absolute() else ""
