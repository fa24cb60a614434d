"""What a peer may be told when it, or the app behind us, broke HTTP."""

__all__ = ["PAGES", "PHRASES", "ProtocolError", "page"]

PHRASES = {
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    411: b"Length Required",
    413: b"Content Too Large",
    414: b"URI Too Long",
    417: b"Expectation Failed",
    421: b"Misdirected Request",
    426: b"Upgrade Required",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}
# Fields that a status owes its reader, whoever answers with it.
_OWED = {
    426: b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",  # RFC 9110 15.5.22, RFC 6455 4.4
    503: b"Retry-After: 1\r\n",  # a release, a wake or a restart is usually over within a second
}


class ProtocolError(Exception):
    """A peer broke the protocol: `status` is the answer the client should get, `reason` is for the log and the page.

    Bytes of a client give 4xx, 501 or 505; bytes of an upstream give 502. After it the connection cannot be used again.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


def page(
    status: int,
    *,
    reason: bytes = b"",
    request_id: bytes = b"",
    fields: bytes = b"",
    close: bool = True,
    head: bool = False,
) -> bytes:
    """Write a whole answer of the edge itself: small, plain text, never cached.

    fields: further field lines, each with its CRLF (they replace what the status owes its reader); close: say
    `Connection: close`; head: the request was HEAD, so the head alone is sent.
    """
    phrase = PHRASES[status]
    body = b"%d %b\n" % (status, phrase)
    if reason:
        body += reason + b"\n"
    if request_id:
        body += b"request " + request_id + b"\n"
        fields = b"X-Request-Id: " + request_id + b"\r\n" + (fields or _OWED.get(status, b""))
    else:
        fields = fields or _OWED.get(status, b"")
    connection = [option for option, said in ((b"close", close), (b"Upgrade", status == 426)) if said]
    if connection:
        fields += b"Connection: " + b", ".join(connection) + b"\r\n"
    return (
        b"HTTP/1.1 %d %b\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
        b"Cache-Control: no-store\r\nContent-Length: %d\r\n%b\r\n%b"
    ) % (status, phrase, len(body), fields, b"" if head else body)


# Ready for a refusal before there is a request to speak of: whole answers that end the connection.
PAGES = {status: page(status) for status in PHRASES}
