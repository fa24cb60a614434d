"""One HTTP/1.1 client connection that tells honestly how a request failed: for load tests, on the standard library.

A server may close a kept-alive connection between requests, but only one that it has announced: by `Connection: close`
or by an end that arrived before the next request was sent. An end after the request went out is a failure, on a reused
connection too: the request may have been carried out, and no proxy may do this to a POST.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Connection", "Failure", "Kind", "Response", "Target"]

HEAD_LIMIT = 64 * 1024
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0  # nothing in these tests answers later

Kind = str
KINDS = ("refused", "reset", "short", "timeout", "tls", "malformed", "status", "echo", "duplicate")
"""refused: no connection; reset: the request got no byte of a response; short: a response broke off; tls: the handshake
or certificate; malformed: no HTTP; status: another than asked for; echo: another body; duplicate: carried out twice."""


class Failure(Exception):
    """A request that a user would call failed."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        assert kind in KINDS
        self.kind = kind
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to connect and whom to ask for; without `tls` it is plain HTTP."""

    port: int
    host: str
    address: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole response; names of headers are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Connection:
    """A connection and what is known of its future."""

    def __init__(self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.target = target
        self.reader = reader
        self.writer = writer
        self.requests = 0
        self._announced = False

    @classmethod
    async def open(cls, target: Target) -> "Connection":
        """Connect, TLS included; raises Failure."""
        name = target.host if target.tls else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                streams = await asyncio.open_connection(
                    target.address, target.port, ssl=target.tls, server_hostname=name, limit=HEAD_LIMIT
                )
        except TimeoutError as error:
            raise Failure("timeout", "connecting") from error
        except ConnectionRefusedError as error:
            raise Failure("refused", "connecting") from error
        except ssl.SSLEOFError as error:
            raise Failure("reset", f"in the TLS handshake: {error}") from error
        except ssl.SSLError as error:
            raise Failure("tls", str(error)) from error
        except OSError as error:
            raise Failure("reset", f"connecting: {error}") from error
        return cls(target, *streams)

    @property
    def usable(self) -> bool:
        """Tell whether a request may be sent: the server has announced no end, and none has arrived."""
        ended = self.reader.at_eof() or self.reader.exception() is not None or self.writer.transport.is_closing()
        return not self._announced and not ended

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        """Send one request and read its whole response; raises Failure, after which the connection is closed."""
        fields = {"Host": self.target.host, **(headers or {})}
        if body or method == "POST":
            fields["Content-Length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._exchange(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)
        except TimeoutError as error:
            self.close()
            raise Failure("timeout", f"{method} {path} on {self._use()}") from error
        except Failure as failure:
            self.close()
            raise Failure(failure.kind, f"{method} {path} on {self._use()}: {failure.detail}") from failure
        finally:
            self.requests += 1

    def close(self) -> None:
        """Close it; nothing is awaited."""
        self.writer.close()

    def _use(self) -> str:
        return "a new connection" if self.requests == 0 else f"a connection with {self.requests} answers"

    async def _exchange(self, message: bytes) -> Response:
        """Write without waiting for room: an early answer to a long body is read, not waited out."""
        self.writer.write(message)
        response = await self._response()
        if "close" in response.headers.get("connection", "").lower():
            self._announced = True
        return response

    async def _response(self) -> Response:
        while True:
            head = await self._head()
            status, headers = _parse(head)
            if status >= 200 or status == 101:
                break
        body = b"" if status in (101, 204, 304) else await self._body(headers)
        return Response(status=status, headers=headers, body=body)

    async def _head(self) -> bytes:
        try:
            return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise Failure("short" if error.partial else "reset", f"end after {len(error.partial)} bytes") from error
        except asyncio.LimitOverrunError as error:
            raise Failure("malformed", "the head is too long") from error
        except OSError as error:  # TLS errors are OSErrors
            raise Failure("reset", str(error) or type(error).__name__) from error

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        try:
            if headers.get("transfer-encoding", "").lower() == "chunked":
                return await self._chunks()
            if "content-length" in headers:
                return await self.reader.readexactly(int(headers["content-length"]))
            self._announced = True  # a body without a length ends with the connection
            return await self.reader.read(-1)
        except asyncio.IncompleteReadError as error:
            raise Failure("short", f"the body broke off, {len(error.partial)} bytes of its last piece came") from error
        except asyncio.LimitOverrunError as error:
            raise Failure("malformed", "a chunk's head is too long") from error
        except ValueError as error:
            raise Failure("malformed", str(error)) from error
        except OSError as error:
            raise Failure("short", f"the body broke off: {error}") from error

    async def _chunks(self) -> bytes:
        body = bytearray()
        while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await self.reader.readexactly(size)
            if await self.reader.readexactly(2) != b"\r\n":
                raise ValueError("a chunk does not end where it should")
        while await self.reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return bytes(body)


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    """Split a response head; raises Failure."""
    lines = head[:-4].decode("latin-1").split("\r\n")
    try:
        status = lines[0].removeprefix("HTTP/1.1 ").split(" ")[0]  # what does not begin so is no number either
        return int(status), dict(_field(line) for line in lines[1:])
    except ValueError as error:
        raise Failure("malformed", lines[0][:100]) from error


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(line)
    return name.lower(), value.strip()
