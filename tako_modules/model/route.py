"""Which requests an app answers: host and path patterns, their order, and the table that finds the app of a request.

An exact host beats a wildcard, a longer wildcard a shorter one; then the longer path wins, then exact over `/p/*` over
`/p*`. Nothing else decides, so two apps never tie: the same pattern twice is a conflict. A slash at the end of an exact
path makes no difference, neither in a pattern nor in a request.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

__all__ = ["ROUTES_LIMIT", "ROUTE_LIMIT", "BadRoute", "Route", "RouteTable"]

T = TypeVar("T")

ROUTE_LIMIT = 512  # characters of one pattern: a host has at most 253, the rest is path
ROUTES_LIMIT = 100  # patterns of one app on a server
_HOST_LIMIT, _LABEL_LIMIT = 253, 63  # characters of a domain name and of a part of one: RFC 1035 2.3.4
_HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()+,;=:@%-]*)*\*?")
_EXACT, _SEGMENT, _PREFIX = 2, 1, 0
_OWN_HOST = "tako.internal"  # where the server tells how it is, and which instances are asked by


class BadRoute(ValueError):
    """A pattern is not a route; the text says why, `hint` what to write where that is known."""

    def __init__(self, reason: str, *, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


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
        if any(letter.isspace() for letter in text):
            raise BadRoute("has a space or a line end in it")
        host, slash, rest = text.partition("/")
        host = host.lower()
        _check_host(host, slash + rest)
        wildcard = host.startswith("*.")
        path, kind = _path_kind(slash + rest)
        _check_path(slash + rest, path, kind)
        return cls(host.removeprefix("*."), wildcard, path.removesuffix("/") if kind == _EXACT else path, kind)

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
            return path.removesuffix(b"/") == mine
        if self.kind == _PREFIX:
            return path.startswith(mine)
        return path == mine or path.startswith(mine + b"/")


def _check_host(host: str, path: str) -> None:
    if "." not in host:
        raise BadRoute("needs a host with a dot, such as shop.example.com or shop.localhost")
    if not host.isascii():
        better = _ascii_host(host)
        hint = f'write "{better}{path}"' if better else ""
        raise BadRoute("has a host with letters that the network writes as xn--…", hint=hint)
    if len(host) > _HOST_LIMIT:
        raise BadRoute(f"has a host that is too long: at most {_HOST_LIMIT} characters")
    if any(len(label) > _LABEL_LIMIT for label in host.split(".")):
        raise BadRoute(f"has a host with a part that is too long: at most {_LABEL_LIMIT} characters between two dots")
    if not _HOST.fullmatch(host):
        raise BadRoute("has a host that is not a domain name (`*.` in front is the only wildcard)")
    if host == _OWN_HOST:
        raise BadRoute("has a host that is tako's own", hint="use another host, such as shop.example.com")


def _ascii_host(host: str) -> str:
    """Write a host as it is sent (RFC 5891), "" when that is no domain name either."""
    labels = unicodedata.normalize("NFKC", host).split(".")
    sent = [label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in labels]
    found = ".".join(sent)
    return found if _HOST.fullmatch(found) and len(found) <= _HOST_LIMIT else ""


def _check_path(written: str, path: str, kind: int) -> None:
    """Refuse a path that requests do not have when they arrive: `//`, `.` and `..` are taken out on the way."""
    if not _PATH.fullmatch(written):
        raise BadRoute("has a path with characters that a route cannot have; `*` may only stand at its end")
    whole = path.split("/")[1:]
    if kind != _SEGMENT:
        *whole, last = whole or [""]  # an exact path may end in a slash, and a prefix with any beginning of a name
        if kind == _EXACT and _is_dots(last):
            whole.append(last)
    if any(not part for part in whole):
        raise BadRoute("has an empty part (`//`) in its path, which clients and proxies on the way take out")
    if any(_is_dots(part) for part in whole):
        raise BadRoute("has `.` or `..` in its path, which clients take out before they send a request")


def _is_dots(part: str) -> bool:
    return part.lower().replace("%2e", ".") in (".", "..")


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
