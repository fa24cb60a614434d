"""Which requests an app answers: host and path patterns, their order, and the table that finds the app of a request.

An exact host beats a wildcard, a longer wildcard a shorter one; then the longer path wins, then exact over `/p/*` over
`/p*`. Nothing else decides, so two apps never tie: the same pattern twice is a conflict.
"""

import re
from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

__all__ = ["BadRoute", "Route", "RouteTable"]

T = TypeVar("T")

ROUTE_LIMIT = 512  # characters of one pattern: a host has at most 253, the rest is path
_HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()+,;=:@%-]*)*\*?")
_EXACT, _SEGMENT, _PREFIX = 2, 1, 0


class BadRoute(ValueError):
    """A pattern is not a route; the text says why."""


class Route(msgspec.Struct, frozen=True, order=False):
    """One pattern, taken apart.

    host: lower case, without the `*.` of a wildcard; path: without its `*`, "" for the whole host;
    kind: 2 the path exactly, 1 the path and all below it, 0 every path that begins so.
    """

    host: str
    wildcard: bool
    path: str
    kind: int

    @classmethod
    def parse(cls, text: str) -> "Route":
        """Read `host`, `*.host`, `host/path`, `host/path/*` or `host/path*`; raises BadRoute."""
        if len(text) > ROUTE_LIMIT:
            raise BadRoute(f"is longer than {ROUTE_LIMIT} characters")
        host, slash, rest = text.strip().partition("/")
        host = host.lower()
        if "." not in host:
            raise BadRoute("needs a host with a dot, such as shop.example.com or shop.localhost")
        if not _HOST.fullmatch(host):
            raise BadRoute("has a host that is not a domain name (`*.` in front is the only wildcard)")
        wildcard = host.startswith("*.")
        path = slash + rest
        if not _PATH.fullmatch(path):
            raise BadRoute("has a path with characters that a route cannot have; `*` may only stand at its end")
        path, kind = _path_kind(path)
        return cls(host.removeprefix("*."), wildcard, path, kind)

    def __str__(self) -> str:
        star = {_EXACT: "", _SEGMENT: "/*", _PREFIX: "*"}[self.kind] if self.path else ""
        return ("*." if self.wildcard else "") + self.host + self.path + star

    @property
    def rank(self) -> tuple[bool, int, int, int]:
        """Order of patterns: the greatest that matches answers."""
        return (not self.wildcard, len(self.host), len(self.path), self.kind)

    def covers(self, path: bytes) -> bool:
        """Tell whether a request's path (without its query) is one of this pattern's."""
        mine = self.path.encode()
        if self.kind == _EXACT:
            return path == mine
        if self.kind == _PREFIX:
            return path.startswith(mine)
        return path == mine or path.startswith(mine + b"/")


def _path_kind(path: str) -> tuple[str, int]:
    if path in ("", "/", "/*"):
        return "", _PREFIX
    if path.endswith("/*"):
        return path[:-2], _SEGMENT
    if path.endswith("*"):
        return path[:-1], _PREFIX
    return path, _EXACT


class RouteTable(Generic[T]):
    """All patterns of all apps, indexed once: a request costs a dict look-up and a walk over one host's patterns."""

    __slots__ = ("exact", "wildcards")

    def __init__(self, entries: Iterable[tuple[Route, T]]) -> None:
        self.exact: dict[bytes, list[tuple[Route, T]]] = {}
        self.wildcards: dict[bytes, list[tuple[Route, T]]] = {}
        for route, target in sorted(entries, key=lambda entry: entry[0].rank, reverse=True):
            index = self.wildcards if route.wildcard else self.exact
            index.setdefault(route.host.encode(), []).append((route, target))

    def find(self, host: bytes, path: bytes) -> T | None:
        """Find the target of a request; host lower case without port, path without query."""
        for route, target in self.exact.get(host, ()):
            if not route.path or route.covers(path):
                return target
        return self._find_wildcard(host, path) if self.wildcards else None

    def _find_wildcard(self, host: bytes, path: bytes) -> T | None:
        _, _, parent = host.partition(b".")
        while parent:
            for route, target in self.wildcards.get(parent, ()):
                if not route.path or route.covers(path):
                    return target
            _, _, parent = parent.partition(b".")
        return None
