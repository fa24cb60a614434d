"""One snapshot as look-ups: which app answers a host and a path, which certificate a name, which token a challenge."""

from collections.abc import Mapping

from tako_modules.model.route import BadRoute, Route, RouteTable
from tako_modules.model.snapshot import Snapshot
from tako_modules.net.tls import Leaf, Leaves

from .apps import App

__all__ = ["CHALLENGE", "STATUS_ALIAS", "Router", "View", "is_status", "path_of"]

CHALLENGE = b"/.well-known/acme-challenge/"  # RFC 8555 8.3
STATUS_ALIAS = b"/_tako/status"
STATUS_HOST, STATUS_PATH = b"tako.internal", b"/status"


class View:
    """An immutable snapshot, indexed. whole: hosts that belong to one app whatever the path is; problems: in words."""

    __slots__ = ("challenges", "healthy", "https_port", "leaves", "problems", "started_at", "table", "whole")

    def __init__(self, snapshot: Snapshot, apps: Mapping[str, App], before: "View | None" = None) -> None:
        self.problems: list[str] = []
        entries: list[tuple[Route, App]] = []
        for traffic in snapshot.apps:
            for text in traffic.routes:
                try:
                    entries.append((Route.parse(text), apps[traffic.id]))
                except BadRoute as problem:
                    self.problems.append(f"route {text} of {traffic.id} {problem}")
        self.table = RouteTable(entries)
        self.whole = {
            host: found[0][1] for host, found in self.table.exact.items() if len(found) == 1 and not found[0][0].path
        }
        self.leaves: Leaves = Leaves(
            snapshot.certificates, snapshot.default_certificate, before.leaves if before else None
        )
        self.problems += [f"certificate for {', '.join(names)}: {why}" for names, why in self.leaves.problems]
        self.challenges = {token.encode(): answer.encode() for token, answer in snapshot.challenges.items()}
        self.https_port = snapshot.https_port
        self.healthy = snapshot.healthy
        self.started_at = snapshot.started_at

    def find(self, host: bytes, path: bytes) -> App | None:
        """Find the app of a request: host as in RequestBlock, path without its query."""
        return self.table.find(host, path)

    def challenge(self, path: bytes) -> bytes | None:
        """Find the answer to an ACME challenge."""
        return self.challenges.get(path.removeprefix(CHALLENGE)) if path.startswith(CHALLENGE) else None

    def redirect(self, host: bytes, target: bytes) -> bytes:
        """Write where a plain request is told to go: the same host, path and query over TLS."""
        port = b"" if self.https_port == 443 else b":%d" % self.https_port
        return b"https://%b%b%b" % (host, port, target if target.startswith(b"/") else b"/")


class Router:
    """Where the newest view is found."""

    __slots__ = ("view",)

    def __init__(self, view: View) -> None:
        self.view = view

    def leaf(self, name: str | None) -> Leaf | None:
        """Find the TLS context for a server name, None being a client's silence."""
        return self.view.leaves.find(name)


def is_status(host: bytes, path: bytes) -> bool:
    """Tell whether a request (of a loopback peer) is about the server itself."""
    return path == STATUS_ALIAS or (path == STATUS_PATH and host == STATUS_HOST)


def path_of(target: bytes) -> bytes:
    """Give a target without its query."""
    return target.partition(b"?")[0]
