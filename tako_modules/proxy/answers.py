"""Answers of the proxy itself that are no refusals: its status, ACME challenges, the way to HTTPS."""

import msgspec

from tako_modules.http import errors

__all__ = ["challenge", "moved", "status"]

_HEAD = b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nCache-Control: no-store\r\nContent-Length: %d\r\n%b%b\r\n"
_CLOSE = b"Connection: close\r\n"


def _whole(head: tuple[int, bytes, bytes, bytes], body: bytes, *, close: bool, only_head: bool) -> bytes:
    code, phrase, kind, fields = head
    text = _HEAD % (code, phrase, kind, len(body), fields, _CLOSE if close else b"")
    return text if only_head else text + body


def status(uptime: float, *, healthy: bool, close: bool, only_head: bool) -> tuple[int, bytes]:
    """Write the server's own status: 200 or 503, and no app's name, since apps share the loopback interface."""
    body = msgspec.json.encode({"healthy": healthy, "uptime_seconds": int(max(0.0, uptime))}) + b"\n"
    code = 200 if healthy else 503
    phrase = b"OK" if healthy else errors.PHRASES[503]
    return code, _whole((code, phrase, b"application/json", b""), body, close=close, only_head=only_head)


def challenge(answer: bytes, *, close: bool, only_head: bool) -> bytes:
    """Write the answer to an HTTP-01 challenge (RFC 8555 8.3)."""
    return _whole((200, b"OK", b"application/octet-stream", b""), answer, close=close, only_head=only_head)


def moved(location: bytes, *, close: bool, only_head: bool) -> bytes:
    """Write a 308: the same request again, elsewhere."""
    head = (308, b"Permanent Redirect", b"text/plain", b"Location: " + location + b"\r\n")
    return _whole(head, location + b"\n", close=close, only_head=only_head)
