"""Request targets (RFC 9112 3.2) and the names of hosts (RFC 3986 3.2.2)."""

import re

from .errors import ProtocolError

__all__ = ["HOST_NAME", "TARGET", "host_of", "origin_form"]

# RFC 3986 with what browsers leave as it is: [ ] ^ ` { | } everywhere, a lone % in the query. Never " or \, so that a
# target can stand between the quotes of a log line.
_PATH = rb"/(?:[!$&-;=@-\[\]^_`a-z{|}~]++|%[0-9A-Fa-f]{2})*"
_QUERY = rb"\?[!$-;=?-\[\]^_`a-z{|}~]*+"
TARGET = _PATH + rb"(?:" + _QUERY + rb")?"
HOST_NAME = rb"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,254}+"
_ORIGIN = re.compile(TARGET)
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]++)(" + _PATH + rb")?(" + _QUERY + rb")?")
_AUTHORITY = re.compile(
    rb"(" + HOST_NAME + rb"|\[[0-9A-Fa-f:.]{2,45}+\])(?::([0-9]{0,5}+))?"
)  # no user: RFC 9110 4.2.4


def origin_form(method: bytes, target: bytes) -> tuple[bytes | None, bytes]:
    """Bring a target into origin form: authority of an absolute-form target or None, and the path with its query.

    b"*" stays as it is and is for OPTIONS alone. Raises ProtocolError 400.
    """
    if _ORIGIN.fullmatch(target) or (target == b"*" and method == b"OPTIONS"):
        return None, target
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise ProtocolError(400, "malformed request target")
    authority, path, query = match.groups(b"")
    if method == b"OPTIONS" and not path and not query:
        return authority, b"*"  # RFC 9112 3.2.4
    return authority, (path or b"/") + query


def host_of(authority: bytes) -> bytes:
    """Give the host of an authority as routes know it: lower case, no port, no trailing dot, IPv6 with brackets.

    Raises ProtocolError 400 when it is empty, names a user or is malformed.
    """
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise ProtocolError(400, "missing or invalid Host")
    host, port = match.groups()
    if port and int(port) > 65535:
        raise ProtocolError(400, "invalid port")
    return host.lower().removesuffix(b".")
