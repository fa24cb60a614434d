"""The grammar of field lines and the tables of fields that mean something to an edge.

A field block is the bytes of all field lines, beginning with the CRLF of the line before and ending with the CRLF of
the last one. It is checked by one expression and taken apart by another: fields without a meaning for the edge never
become Python objects. Groups repeat with a plain `*` and single classes possessively: Python before 3.11.5 mismatches
possessive groups (gh-106052).
"""

import re
from functools import cache

from .errors import ProtocolError

__all__ = [
    "FIELD_COUNT_LIMIT",
    "HOP_BY_HOP",
    "NAME",
    "NOT_NOMINATED",
    "REQUEST_FIELDS",
    "REQUEST_NAMES",
    "REQUEST_SPECIAL",
    "RESPONSE_FIELDS",
    "RESPONSE_NAMES",
    "RESPONSE_SPECIAL",
    "TOKEN",
    "TOKEN_CHARACTER",
    "VALUE",
    "collect",
    "find",
    "framing",
    "framing_fields",
    "options",
    "quote",
    "refused",
    "without",
]

TOKEN_CHARACTER = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # RFC 9110 5.6.2
_NAME_TAIL = TOKEN_CHARACTER + rb"{0,255}+"  # a name has 256 characters at most; the longest registered one has 52
NAME = TOKEN_CHARACTER + _NAME_TAIL
VALUE = rb"[\t\x20-\x7e\x80-\xff]*+"  # RFC 9110 5.5 with obs-text: no CR, LF, NUL or other control
TOKEN = re.compile(NAME)
_FIELD = rb"(?:" + NAME + rb":" + VALUE + rb"\r\n)"
FIELD_COUNT_LIMIT = 100  # browsers send 15 to 30; apps do work for each of them → 431
REQUEST_FIELDS = re.compile(rb"\r\n" + _FIELD + rb"{0,%d}" % FIELD_COUNT_LIMIT)
RESPONSE_FIELDS = re.compile(rb"\r\n" + _FIELD + rb"*")

# RFC 9110 7.6.1 and what was hop-by-hop before it. `Trailer` is not among them: trailers pass through. `TE: trailers`
# is dropped and not renewed: whether trailers reach a client hangs on each hop, so an upstream must not count on it.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Options of Connection that name no field to drop: `close`, and fields that are dropped or written anew anyway.
NOT_NOMINATED = HOP_BY_HOP | {b"close"}
# A second line of these is an error: two readers could each believe another one.
_SINGLE = frozenset({b"content-length", b"expect", b"host", b"transfer-encoding"})
# Lines of these may be repeated and are one list.
_LISTS = frozenset({b"connection", b"upgrade"})
# Nobody may have these dropped by naming them in Connection: routing and framing hang on them (RFC 9110 7.6.1).
_NEVER_NOMINATED = frozenset({b"content-length", b"host"})

# Gateway interfaces (CGI, WSGI, Rack) write every separator as "_", so that `X_Forwarded_For` reads like the real one.
# A request's name that differs from a special one only in separators is therefore special too, and dropped.
_SEPARATOR = rb"[!#$%&'*+\-.^_`|~]"
REQUEST_NAMES = (
    (
        rb"host|con(?:nection|tent-length)|t(?:ransfer-encoding|e)|keep-alive|upgrade|expect|http2-settings"
        rb"|proxy(?:-(?:connection|authenticate|authorization))?|forwarded|x-(?:forwarded(?:-{tail})?|real-ip|request-id)"
    )
    .replace(b"-", _SEPARATOR)
    .replace(b"{tail}", _NAME_TAIL)
)
RESPONSE_NAMES = (
    rb"con(?:nection|tent-length)|t(?:ransfer-encoding|e)|keep-alive|upgrade|proxy-(?:connection|authenticate)"
)


def _special(names: bytes, first: bytes) -> re.Pattern[bytes]:
    """Compile the expression whose split() gives rest, name, value, rest, … of a checked field block.

    names: alternatives without anchors, in any case; first: the letters they begin with, a cheap look ahead.
    """
    return re.compile(rb"\r\n(?=[" + first + rb"])(?i:(" + names + rb")):[ \t]*+([^\r]*+)")


# What a request's field may be called to have a meaning here: routing, framing, this hop, or what the edge itself says.
REQUEST_SPECIAL = _special(REQUEST_NAMES, b"HhCcTtKkPpUuEeXxFf")
RESPONSE_SPECIAL = _special(RESPONSE_NAMES, b"CcTtKkPpUu")
_LENGTH_DIGITS = 18  # more is no size of this world, and would not fit 64 bits further on
_NO_OPTIONS: frozenset[bytes] = frozenset()
_USUAL_OPTIONS = {option: frozenset({option}) for option in (b"close", b"upgrade")}
_UNSAFE = re.compile(rb"[^\x20\x21\x23-\x5b\x5d-\x7e]")


def collect(parts: list[bytes], status: int) -> dict[bytes, bytes]:
    """Gather the special fields of a split block by lower-case name, list fields joined.

    Raises ProtocolError(status) when a field that may only be there once is there twice.
    """
    found: dict[bytes, bytes] = {}
    for index in range(1, len(parts), 3):
        name = parts[index].lower()
        if name not in found:
            found[name] = parts[index + 1].rstrip(b" \t")
        elif name in _LISTS:
            found[name] += b"," + parts[index + 1]
        elif name in _SINGLE:
            raise ProtocolError(status, f"more than one {name.decode('ascii')} field")
    return found


def refused(block: bytes) -> ProtocolError:
    """Say why a request's block does not match REQUEST_FIELDS."""
    if block.count(b"\r\n") > FIELD_COUNT_LIMIT + 1:
        return ProtocolError(431, "too many fields")
    return ProtocolError(400, "malformed field line")


def options(value: bytes | None, status: int) -> frozenset[bytes]:
    """Read the value of Connection, if there is one: lower-case options.

    Raises ProtocolError(status) for what is no token and for the name of a field that must reach everybody.
    """
    if value is None or value == b"keep-alive":
        return _NO_OPTIONS
    value = value.lower()
    if (usual := _USUAL_OPTIONS.get(value)) is not None:
        return usual
    found = frozenset([option.strip(b" \t") for option in value.split(b",")]) - {b""}
    for option in found:
        if not TOKEN.fullmatch(option) or option in _NEVER_NOMINATED:
            raise ProtocolError(status, "invalid Connection option")
    return found


def without(block: bytes, names: frozenset[bytes]) -> bytes:
    """Leave out the lines of a checked block whose lower-case names are given."""
    lines = block.split(b"\r\n")
    return b"\r\n".join([line for line in lines if line.partition(b":")[0].lower() not in names])


def framing(found: dict[bytes, bytes], minor: bytes, status: int) -> tuple[int | None, bool]:
    """Read how long a body is (RFC 9112 6.3): length or None, chunked.

    found: what collect() gave. Whatever two readers could understand differently is an error: that is how requests are
    smuggled. Raises ProtocolError with `status`, for a request (400) also 413 and 501.
    """
    coding, length = found.get(b"transfer-encoding"), found.get(b"content-length")
    if coding is not None:
        if length is not None or minor == b"0":
            raise ProtocolError(status, "Transfer-Encoding with Content-Length or HTTP/1.0")
        if coding.lower() != b"chunked":
            *others, last = [word.strip(b" \t") for word in coding.lower().split(b",")]
            unknown = status == 400 and last == b"chunked" and last not in others
            raise ProtocolError(501 if unknown else status, "transfer coding other than chunked")
        return None, True
    if length is None:
        return None, False
    if not length.isdigit() or len(length) > _LENGTH_DIGITS:
        raise ProtocolError(413 if status == 400 and length.isdigit() else status, "invalid Content-Length")
    return int(length), False


def framing_fields(length: int | None, chunked: bool) -> bytes:
    """Write the one line that frames a body, its CRLF in front, or nothing."""
    if chunked:
        return b"\r\nTransfer-Encoding: chunked"
    return b"" if length is None else b"\r\nContent-Length: %d" % length


@cache
def _finder(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"\r\n(?i:" + re.escape(name) + rb"):[ \t]*+([^\r]*+)")


def find(block: bytes, name: bytes) -> list[bytes]:
    """Look up the values of one field in a checked block or head; `name` is one of the program's own words."""
    return [value.rstrip(b" \t") for value in _finder(name).findall(block)]


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % match[0][0]


def quote(value: bytes) -> bytes:
    """Make any bytes safe between the quotes of a JSON string: ASCII out, each other byte as the Latin-1 character."""
    return _UNSAFE.sub(_escape, value)
