"""HTTP/1.1 heads (RFC 9112): found, checked and rewritten in one call each, with no object per field.

Request:   end = head_end(buffer); method, target, minor, authority, line = request_line(buffer)
           block = request_block(buffer[line - 2 : end - 2], edge, minor, authority)
           upstream gets method + b" " + target + b" HTTP/1.1\\r\\n" + block.forward_a + request_id + block.forward_b
Response:  end = response_end(buffer); head = response_head(buffer[:end]); kind = body_kind(head, method)
           client gets head.out, or head.for_client(kind, minor, close) when it must hear something else

A block (or head) that equals the previous one of the same connection means the same, as long as `minor` and `authority`
are the same too: keep the last pair and compare, that is cheaper than any parser.
"""

import re
from enum import Enum, auto

from . import headers, targets
from .errors import ProtocolError

__all__ = [
    "REQUEST_HEAD_LIMIT",
    "REQUEST_LINE_LIMIT",
    "RESPONSE_HEAD_LIMIT",
    "BodyKind",
    "Edge",
    "RequestBlock",
    "ResponseHead",
    "body_kind",
    "general_block",
    "head_end",
    "request_block",
    "request_line",
    "response_end",
    "response_head",
    "usual_block",
]

REQUEST_LINE_LIMIT = 8 << 10  # RFC 9112 3 asks for 8000 at least; longer ones are data in the wrong place → 414
REQUEST_HEAD_LIMIT = 16 << 10  # what Node takes as well: a larger head would only fail one hop later → 431
RESPONSE_HEAD_LIMIT = 64 << 10  # an app is trusted more than a client, yet not with unbounded memory → 502

_REQUEST_LINE = re.compile(rb"(?:\r\n)?(?!CONNECT )([A-Z]{1,24}+) (" + targets.TARGET + rb") HTTP/1\.([01])\r\n")
_METHOD = re.compile(headers.TOKEN_CHARACTER + rb"{1,24}+")
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_PROTOCOL = re.compile(headers.TOKEN_CHARACTER + rb"{1,40}+(?:/" + headers.TOKEN_CHARACTER + rb"{1,20}+)?")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: (" + headers.VALUE + rb"))?\r\n")
# How most field blocks begin; what follows must hold nothing with a meaning.
_USUAL_START = re.compile(
    rb"\r\n[Hh]ost: (" + targets.HOST_NAME + rb")(:[0-9]{1,4}+)?\r\n(?:[Cc]onnection: [Kk]eep-[Aa]live\r\n)?"
)
_REQUEST_START = re.compile(rb"(?:\r\n)?(?:" + headers.TOKEN_CHARACTER + rb"|\Z)|\r\Z")
_CODING_LINE = re.compile(rb"\r\n(?i:transfer-encoding):[^\r]*+(?=\r\n)")


class Edge:
    """What this end of a connection tells upstreams about it, written once per connection.

    Whatever a client says in these fields is dropped: an edge trusts nobody. `Forwarded` (RFC 7239) is dropped and not
    written, because apps that believe two sources believe the wrong one. `Via` is not written: servers behind an edge
    stop compressing when they see it.
    """

    __slots__ = ("fields",)

    def __init__(self, peer: bytes, scheme: bytes, port: bytes) -> None:
        """peer: the client's address, IPv6 without brackets; scheme: http or https; port: the one it came to."""
        self.fields = (
            b"\r\nX-Forwarded-For: %b\r\nX-Real-IP: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Port: %b"
            b"\r\nX-Request-Id: "
        ) % (peer, peer, scheme, port)


class RequestBlock:
    """The meaning of one request's field block: what routing, framing and forwarding need. Never changed once made.

    host: lower case, no port, no trailing dot, IPv6 with brackets; authority: as sent, with the port; length: 0 without
    a body and when chunked; close: the client will not send another request; upgrade: None, or the one protocol that is
    asked for upstream (lower case, like b"websocket"); expect_continue: the client waits for a 100 before its body;
    forward_a, forward_b: what is sent upstream before and after the request id.
    """

    __slots__ = (
        "authority",
        "chunked",
        "close",
        "expect_continue",
        "forward_a",
        "forward_b",
        "host",
        "length",
        "upgrade",
    )
    host: bytes
    authority: bytes
    length: int
    chunked: bool
    close: bool
    upgrade: bytes | None
    expect_continue: bool
    forward_a: bytes
    forward_b: bytes


def head_end(buffer: bytes | bytearray, seen: int = 0) -> int:
    """Find the offset behind a request head's blank line, or 0 while more bytes are needed.

    seen: how many bytes an earlier call has looked at. Raises ProtocolError 414 or 431 for a head over the limits, 400
    for what can no longer become one.
    """
    end = buffer.find(b"\r\n\r\n", seen - 3 if seen > 3 else 0) + 4
    if 4 < end <= REQUEST_HEAD_LIMIT:
        return end
    if end == 4:
        raise ProtocolError(400, "empty request line")
    if max(end, len(buffer)) > REQUEST_HEAD_LIMIT:
        line = buffer.find(b"\r\n", 2)
        raise ProtocolError(431, "head too large") if 0 < line <= REQUEST_LINE_LIMIT else _line_too_long()
    if not _REQUEST_START.match(buffer) or _bare_newline(buffer, seen):
        raise ProtocolError(400, "not an HTTP/1.1 request")
    return 0


def _line_too_long() -> ProtocolError:
    return ProtocolError(414, "request line too long")


def _bare_newline(buffer: bytes | bytearray, seen: int) -> bool:
    """Tell whether a line ends without CR, so that no blank line of ours would ever come."""
    return buffer.count(b"\n", seen) != buffer.count(b"\r\n", seen - 1 if seen else 0)


def request_line(buffer: bytes | bytearray) -> tuple[bytes, bytes, bytes, bytes | None, int]:
    """Read the first line of a whole head: method, target, minor (b"0" or b"1"), authority, offset behind its CRLF.

    The target is in origin form, or b"*" with OPTIONS; authority is that of an absolute-form target and replaces Host
    (RFC 9112 3.2.2), else None. One empty line before is passed over (RFC 9112 2.2). Any method but CONNECT is taken.
    Raises ProtocolError 400, 414, 501 or 505.
    """
    match = _REQUEST_LINE.match(buffer)
    if match is None:
        return _unusual_line(buffer)
    end = match.end()
    if end > REQUEST_LINE_LIMIT:
        raise _line_too_long()
    method, target, minor = match.groups()
    return method, target, minor, None, end


def _unusual_line(buffer: bytes | bytearray) -> tuple[bytes, bytes, bytes, bytes | None, int]:
    start = 2 if buffer[:2] == b"\r\n" else 0
    end = buffer.find(b"\r\n", start) + 2
    if end > REQUEST_LINE_LIMIT:
        raise _line_too_long()
    words = bytes(buffer[start : end - 2]).split(b" ")
    if len(words) != 3 or not headers.TOKEN.fullmatch(words[0]) or not _VERSION.fullmatch(words[2]):
        raise ProtocolError(400, "malformed request line")
    method, target, version = words
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise ProtocolError(505, "not HTTP/1.1")
    if method == b"CONNECT" or not _METHOD.fullmatch(method):
        raise ProtocolError(501, "method not offered")
    authority, target = targets.origin_form(method, target)
    return method, target, version[-1:], authority, end


def request_block(block: bytes, edge: Edge, minor: bytes, authority: bytes | None = None) -> RequestBlock:
    """Check the field block of a request and rewrite it for the upstream.

    block: from the CRLF of the request line to the CRLF of the last field; minor, authority: as request_line() gave
    them. Raises ProtocolError 400, 413, 417, 431 or 501.
    """
    if not headers.REQUEST_FIELDS.fullmatch(block):
        raise headers.refused(block)
    if minor == b"1" and authority is None and (result := usual_block(block, edge)) is not None:
        return result
    return general_block(block, edge, minor, authority)


def usual_block(block: bytes, edge: Edge) -> RequestBlock | None:
    """Do for the usual HTTP/1.1 block, faster, exactly what general_block() does; None for any other."""
    match = _USUAL_START.match(block)
    if match is None or headers.REQUEST_SPECIAL.search(block, match.end() - 2) is not None:
        return None
    host, port = match.groups(b"")
    result = RequestBlock()
    result.host, result.authority = host.lower().removesuffix(b"."), host + port
    result.length, result.upgrade = 0, None
    result.chunked = result.close = result.expect_continue = False
    result.forward_a = b"Host: " + result.authority + b"\r\nX-Forwarded-Host: " + result.authority + edge.fields
    result.forward_b = block[match.end() - 2 :] + b"\r\n"
    return result


def general_block(block: bytes, edge: Edge, minor: bytes, authority: bytes | None) -> RequestBlock:
    """Rewrite any block whose lines are well-formed, see request_block()."""
    parts = headers.REQUEST_SPECIAL.split(block)
    found = headers.collect(parts, 400)
    result = RequestBlock()
    result.host = targets.host_of(found.get(b"host", b""))
    if authority is None:
        authority = found[b"host"]
    else:
        result.host = targets.host_of(authority)
    result.authority = authority
    result.forward_a = b"Host: " + authority + b"\r\nX-Forwarded-Host: " + authority + edge.fields
    result.forward_b = _interpret(result, found, minor, b"".join(parts[::3]))
    return result


def _interpret(result: RequestBlock, found: dict[bytes, bytes], minor: bytes, rest: bytes) -> bytes:
    """Find out all that the special fields mean for `result`; gives its forward_b."""
    asked = headers.options(found.get(b"connection"), 400)
    if asked and (nominated := asked - headers.NOT_NOMINATED):
        rest = headers.without(rest, nominated)
    length, result.chunked = headers.framing(found, minor, 400)
    result.length = length or 0
    result.close = minor == b"0" or b"close" in asked
    has_body = result.chunked or result.length > 0
    result.expect_continue = _expect(found, minor) and has_body
    protocol = b"" if minor == b"0" or has_body or b"upgrade" not in asked else _protocol(found)
    result.upgrade = protocol.lower() or None
    extra = headers.framing_fields(length, result.chunked)
    if result.expect_continue:
        extra += b"\r\nExpect: 100-continue"
    if protocol:
        extra += b"\r\nConnection: Upgrade\r\nUpgrade: " + protocol
    return extra + rest + b"\r\n"


def _expect(found: dict[bytes, bytes], minor: bytes) -> bool:
    value = found.get(b"expect")
    if value is None or minor == b"0":  # RFC 9110 10.1.1: to be ignored in HTTP/1.0
        return False
    if value.lower() != b"100-continue":
        raise ProtocolError(417, "unknown expectation")
    return True


def _protocol(found: dict[bytes, bytes]) -> bytes:
    """Choose what to ask the upstream to become: the first wish, and never another HTTP, which would hide requests."""
    first = found.get(b"upgrade", b"").partition(b",")[0].strip(b" \t")
    if not _PROTOCOL.fullmatch(first) or first.lower().startswith((b"h2", b"http", b"tls")):
        return b""
    return first


class BodyKind(Enum):
    """How the end of a response's body is found."""

    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()


class ResponseHead:
    """The meaning of one response head, and what the client gets. Never changed once made.

    length: Content-Length or None; keep: the upstream's connection can be used again after the body; upgrade: for 101,
    the protocol (lower case); out: the head for an HTTP/1.1 client that keeps its connection, the framing as it came.
    """

    __slots__ = ("chunked", "keep", "length", "out", "status", "upgrade")
    status: int
    length: int | None
    chunked: bool
    keep: bool
    upgrade: bytes | None
    out: bytes

    def for_client(self, kind: BodyKind, minor: bytes, close: bool) -> bytes:
        """Write the head for any client, `kind` being what body_kind() said.

        To HTTP/1.1 a body until close goes out chunked; to HTTP/1.0 every body without a length goes out decoded, and
        the connection closes in any case. A 1xx is only for a client that speaks HTTP/1.1.
        """
        out = self.out
        if minor == b"0" and self.chunked:
            out = _CODING_LINE.sub(b"", out)
        elif kind is BodyKind.UNTIL_CLOSE and minor == b"1":
            out = out[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
        if (close or minor == b"0") and self.status >= 200:
            out = out[:-2] + b"Connection: close\r\n\r\n"
        return out


def body_kind(head: ResponseHead, method: bytes) -> BodyKind:
    """Tell how the body that follows a final response head ends (RFC 9112 6.3)."""
    if head.length == 0 or method == b"HEAD" or head.status < 200 or head.status == 204 or head.status == 304:
        return BodyKind.NONE
    if head.chunked:
        return BodyKind.CHUNKED
    return BodyKind.UNTIL_CLOSE if head.length is None else BodyKind.LENGTH


def response_end(buffer: bytes | bytearray, seen: int = 0) -> int:
    """Find the offset behind a response head's blank line, or 0 while more bytes are needed.

    Raises ProtocolError 502.
    """
    end = buffer.find(b"\r\n\r\n", seen - 3 if seen > 3 else 0) + 4
    if 4 < end <= RESPONSE_HEAD_LIMIT:
        return end
    if end >= 4 or len(buffer) > RESPONSE_HEAD_LIMIT:
        raise ProtocolError(502, "response head empty or too large")
    if not b"HTTP/1.".startswith(bytes(buffer[:7])) or _bare_newline(buffer, seen):
        raise ProtocolError(502, "not an HTTP/1.1 response")
    return 0


def response_head(head: bytes) -> ResponseHead:
    """Check a whole response head, its blank line included, and rewrite it for the client; raises ProtocolError 502."""
    match = _STATUS_LINE.match(head)
    if match is None:
        raise ProtocolError(502, "malformed status line")
    minor, code, phrase = match.groups(b"")
    block = head[match.end() - 2 : -2]
    if not headers.RESPONSE_FIELDS.fullmatch(block):
        raise ProtocolError(502, "malformed field line")
    parts = headers.RESPONSE_SPECIAL.split(block)
    found = headers.collect(parts, 502)
    asked = headers.options(found.get(b"connection"), 502)
    rest = b"".join(parts[::3])
    if asked and (nominated := asked - headers.NOT_NOMINATED):
        rest = headers.without(rest, nominated)
    result = ResponseHead()
    result.status = status = int(code)
    result.length, result.chunked = headers.framing(found, minor, 502)
    result.keep = minor == b"1" and b"close" not in asked
    if status < 200 or status == 204:  # RFC 9110 8.6, RFC 9112 6.1: neither field may be here; a body may still follow
        result.keep = result.keep and not (result.length or result.chunked)
        result.length, result.chunked = None, False
    result.upgrade, extra = None, headers.framing_fields(result.length, result.chunked)
    if status in (101, 426):  # the two that tell the client what to speak (RFC 9110 15.2.2, 15.5.22)
        protocol = found.get(b"upgrade", b"")
        result.upgrade = protocol.lower() if status == 101 else None
        if status == 101 and not protocol:
            raise ProtocolError(502, "101 without Upgrade")
        if protocol:
            extra += b"\r\nConnection: Upgrade\r\nUpgrade: " + protocol
    result.out = b"HTTP/1.1 %b %b%b%b\r\n" % (code, phrase, extra, rest)
    return result
