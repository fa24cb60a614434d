"""TLS contexts: one that listens, and one per certificate, chosen by the name that the client asks for.

Only the listening context has ticket keys that count (OpenSSL takes them from the context a connection began with), so
that certificates come and go without ending the sessions of clients.
"""

import os
import ssl
from collections.abc import Callable, Iterable
from typing import Self

from tako_modules.model.snapshot import Certificate

__all__ = ["ALPN", "Leaf", "Leaves", "listening_context"]

ALPN = ["http/1.1"]
_TICKETS = 1  # per handshake: clients open further connections with the newest one, a second is only more to send


class Leaf(ssl.SSLContext):
    """The context of one certificate and the names that it is good for; without names, for any."""

    names: frozenset[str]

    @classmethod
    def of(cls, certificate: Certificate, *, anything: bool = False) -> Self:
        """Build one; raises OSError (ssl.SSLError is one) or ValueError when chain or key is not usable."""
        leaf = cls(ssl.PROTOCOL_TLS_SERVER)
        _settle(leaf)
        _load(leaf, certificate)
        leaf.names = frozenset() if anything else frozenset(name.lower() for name in certificate.names)
        return leaf

    def covers(self, host: str) -> bool:
        """Tell whether a client that trusts this certificate for its connection may also ask for `host` on it."""
        return not self.names or host in self.names or "*." + host.partition(".")[2] in self.names


class Leaves:
    """All certificates by name: exact, then wildcard, then the one for clients that ask for none."""

    __slots__ = ("_built", "_default", "_names", "problems")

    def __init__(
        self, certificates: Iterable[Certificate], default: Certificate | None = None, before: "Leaves | None" = None
    ) -> None:
        """before: where contexts of certificates that stay are taken from.

        problems: of certificates that cannot be used, which is no reason not to serve the others.
        """
        self.problems: list[tuple[tuple[str, ...], Exception]] = []
        self._built: dict[tuple[Certificate, bool], Leaf] = {}
        self._names: dict[str, Leaf] = {}
        for certificate in certificates:
            leaf = self._build(certificate, before, anything=False)
            if leaf is not None:
                self._names.update({name: leaf for name in leaf.names if name not in self._names})
        self._default = self._build(default, before, anything=True) if default else None

    def _build(self, certificate: Certificate, before: "Leaves | None", *, anything: bool) -> Leaf | None:
        key = (certificate, anything)
        leaf = before._built.get(key) if before else None
        try:
            self._built[key] = leaf = leaf or Leaf.of(certificate, anything=anything)
        except (OSError, ValueError) as problem:
            self.problems.append((certificate.names, problem))
        return leaf

    def find(self, name: str | None) -> Leaf | None:
        """Find the context for a server name, None being the client's silence.

        An address is no name (RFC 6066 3), though some clients send one: it counts as silence.
        """
        if name is None or ":" in name or name.replace(".", "").isdigit():
            return self._default
        name = name.lower().removesuffix(".")
        return self._names.get(name) or self._names.get("*." + name.partition(".")[2])

    def __len__(self) -> int:
        return len(self._built)


def listening_context(find: Callable[[str | None], ssl.SSLContext | None]) -> ssl.SSLContext:
    """Build the context that all connections begin with; a name that `find` does not know ends the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _settle(context)

    def choose(connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        found = find(name)
        if found is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = found
        return None

    context.sni_callback = choose
    return context


def _settle(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = _TICKETS
    context.set_alpn_protocols(ALPN)


def _load(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Load from memory what the ssl module only takes from files: the key never touches a disk."""
    memory = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with open(memory, "wb", closefd=False) as file:
            file.write(f"{certificate.chain.strip()}\n{certificate.key.strip()}\n".encode())
        context.load_cert_chain(f"/proc/self/fd/{memory}", password=_no_password)
    finally:
        os.close(memory)


def _no_password() -> str:
    raise ValueError("the key is encrypted")
