"""The app that load and fault tests drive: standard library only, HTTP/1.1 with keep-alive, WebSockets, slow answers.

Listens on HOST:PORT. Every answer names its build in `X-Version` (TAKO_BUILD) and its process in `X-Instance`.

  GET  /                 a line of text            GET /status      what a Tako probe asks for
  POST /echo             the body again            GET /env         its environment as JSON
  GET  /slow?seconds=5   a chunk per half second   GET /duplicates  ids that arrived more than once
  GET  /ws               a WebSocket that echoes

`POST /echo` with `X-Id` remembers the id: in memory, and in TAKO_DATA_DIR/ids where several instances share it, so
that a request sent twice is seen. Variables: BOOT_SECONDS waits before listening, IGNORE_TERM=1 does not stop on
SIGTERM, EXIT_CODE ends at once with that code, STATUS_CODE is that of /status, TICK_SECONDS prints numbers that often.

SIGTERM: no new connections, idle ones closed, running answers finished, WebSockets closed with 1001.
"""

import asyncio
import base64
import collections
import hashlib
import json
import os
import signal
import socket
import struct
import sys
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

VERSION = os.environ.get("TAKO_BUILD", "unknown")
INSTANCE = os.environ.get("TAKO_INSTANCE", str(os.getpid()))
BORN = time.monotonic()
HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 16 * 1024 * 1024
FRAME_LIMIT = 1024 * 1024
LAST_GRACE = 0.05  # seconds for a request that is already on its way when the listener closes
HALF_SECOND = 0.5
WEBSOCKET_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GOING_AWAY, PROTOCOL_ERROR = 1001, 1002
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 413: "Content Too Large", 503: "Service Unavailable"}


class BadRequest(Exception):
    """The request cannot be read; the connection is closed after a 400."""


@dataclass(frozen=True)
class Request:
    """One request, its body read."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    keep_alive: bool
    body: bytes = b""


@dataclass
class App:
    """What the connections share."""

    draining: bool = False
    idle: set["asyncio.Task[None]"] = field(default_factory=set)
    websockets: set[asyncio.StreamWriter] = field(default_factory=set)
    seen: "collections.Counter[str]" = field(default_factory=collections.Counter)

    def remember(self, identity: str) -> int:
        """Note an id; tell how often this instance has seen it."""
        self.seen[identity] += 1
        if folder := os.environ.get("TAKO_DATA_DIR"):
            with Path(folder, "ids").open("ab", buffering=0) as ids:
                ids.write(f"{identity}\n".encode())  # one short write: instances do not mix their lines
        return self.seen[identity]

    def duplicates(self) -> list[str]:
        """Name the ids that arrived more than once, at any instance."""
        found = collections.Counter(self.seen)
        if folder := os.environ.get("TAKO_DATA_DIR"):
            found = collections.Counter(Path(folder, "ids").read_text().split())
        return sorted(identity for identity, times in found.items() if times > 1)


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> Request:
    """Read what follows a head; raises BadRequest."""
    lines = head.decode("latin-1").split("\r\n")
    try:
        method, target, protocol = lines[0].split(" ")
        pairs = [line.split(":", 1) for line in lines[1:] if line]
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
    except ValueError as error:
        raise BadRequest(lines[0]) from error
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection = {word.strip().lower() for word in headers.get("connection", "").split(",")}
    url = urllib.parse.urlsplit(target)
    return Request(
        method=method,
        path=url.path,
        query=urllib.parse.parse_qs(url.query),
        headers=headers,
        keep_alive="close" not in connection and (protocol == "HTTP/1.1" or "keep-alive" in connection),
        body=await read_body(reader, headers),
    )


async def read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """Read a body of known length or in chunks; raises BadRequest."""
    try:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await read_chunks(reader)
        length = int(headers.get("content-length", "0"))
    except ValueError as error:
        raise BadRequest("length") from error
    if not 0 <= length <= BODY_LIMIT:
        raise BadRequest("too long")
    return await reader.readexactly(length)


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """Read chunks and trailers; raises BadRequest."""
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        if len(body) + size > BODY_LIMIT:
            raise BadRequest("too long")
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return bytes(body)


def head(status: int, fields: dict[str, str]) -> bytes:
    """Write a response head."""
    named = {"X-Version": VERSION, "X-Instance": INSTANCE, **fields}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\n{lines}\r\n".encode("latin-1")


@dataclass(frozen=True)
class Exchange:
    """A request, the way back, and whether the connection goes on afterwards."""

    app: App
    request: Request
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def ending(self) -> dict[str, str]:
        """Announce the close of a connection that will not go on."""
        return {} if self.goes_on else {"Connection": "close"}

    @property
    def goes_on(self) -> bool:
        """Tell whether another request may follow."""
        return self.request.keep_alive and not self.app.draining

    async def answer(self, body: bytes, status: int = 200, kind: str = "text/plain", **fields: str) -> bool:
        """Send a whole response; tell whether the connection goes on."""
        goes_on = self.goes_on
        named = {name.replace("_", "-").title(): value for name, value in fields.items()}
        full = head(status, {"Content-Type": kind, "Content-Length": str(len(body)), **named, **self.ending})
        self.writer.write(full if self.request.method == "HEAD" else full + body)
        await self.writer.drain()
        return goes_on


async def root(exchange: Exchange) -> bool:
    """Answer a line of text."""
    return await exchange.answer(f"echo {VERSION}\n".encode())


async def echo(exchange: Exchange) -> bool:
    """Send the body back, with how often its id was seen."""
    identity = exchange.request.headers.get("x-id", "")
    times = exchange.app.remember(identity) if identity else 0
    kind = "application/octet-stream"
    return await exchange.answer(exchange.request.body, kind=kind, x_id=identity, x_seen=str(times))


async def environment(exchange: Exchange) -> bool:
    """Show the environment."""
    return await exchange.answer(json.dumps(dict(os.environ)).encode(), kind="application/json")


async def status(exchange: Exchange) -> bool:
    """Answer a probe."""
    facts = {
        "status": "healthy",
        "app": os.environ.get("TAKO_APP", ""),
        "version": VERSION,
        "instance_id": INSTANCE,
        "pid": os.getpid(),
        "uptime_seconds": round(time.monotonic() - BORN, 3),
    }
    code = int(os.environ.get("STATUS_CODE", "200"))
    return await exchange.answer(json.dumps(facts).encode(), code, kind="application/json")


async def duplicates(exchange: Exchange) -> bool:
    """List ids that arrived twice."""
    return await exchange.answer(json.dumps(exchange.app.duplicates()).encode(), kind="application/json")


async def slow(exchange: Exchange) -> bool:
    """Send a chunk every half second for as long as was asked; the last one says that nothing is missing."""
    seconds = float(exchange.request.query.get("seconds", ["5"])[0])
    goes_on = exchange.goes_on
    exchange.writer.write(head(200, {"Content-Type": "text/plain", "Transfer-Encoding": "chunked", **exchange.ending}))
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        exchange.writer.write(b"5\r\nslow\n\r\n")
        await exchange.writer.drain()
        await asyncio.sleep(min(HALF_SECOND, left))
    exchange.writer.write(b"5\r\ndone\n\r\n0\r\n\r\n")
    await exchange.writer.drain()
    return goes_on


async def websocket(exchange: Exchange) -> bool:
    """Shake hands (RFC 6455 section 4.2.2), then echo messages until either side closes."""
    key = exchange.request.headers.get("sec-websocket-key", "")
    if exchange.request.headers.get("upgrade", "").lower() != "websocket" or not key:
        return await exchange.answer(b"a WebSocket handshake is expected\n", 400)
    accept = base64.b64encode(hashlib.sha1(key.encode() + WEBSOCKET_KEY, usedforsecurity=False).digest()).decode()
    fields = {"X-Version": VERSION, "X-Instance": INSTANCE, "Upgrade": "websocket", "Connection": "Upgrade"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**fields, "Sec-WebSocket-Accept": accept}.items())
    exchange.writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode())
    exchange.app.websockets.add(exchange.writer)
    try:
        await converse(exchange)
    finally:
        exchange.app.websockets.discard(exchange.writer)
    return False


async def converse(exchange: Exchange) -> None:
    """Echo messages and pings; answer a close with its own code."""
    if exchange.app.draining:
        exchange.writer.write(frame(CLOSE, struct.pack("!H", GOING_AWAY)))
    while True:
        opcode, payload = await read_frame(exchange.reader)
        if opcode == CLOSE:
            if not exchange.app.draining:  # our own close is out already
                exchange.writer.write(frame(CLOSE, payload[:2]))
            await exchange.writer.drain()
            return
        if opcode in (TEXT, BINARY, PING):
            exchange.writer.write(frame(PONG if opcode == PING else opcode, payload))
            await exchange.writer.drain()


def frame(opcode: int, payload: bytes) -> bytes:
    """Write one whole frame as a server does: unmasked."""
    if len(payload) < 126:
        return struct.pack("!BB", 0x80 | opcode, len(payload)) + payload
    if len(payload) < 65536:
        return struct.pack("!BBH", 0x80 | opcode, 126, len(payload)) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one frame; clients mask theirs (RFC 6455 section 5.3)."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length == 126:
        length = struct.unpack("!H", await reader.readexactly(2))[0]
    elif length == 127:
        length = struct.unpack("!Q", await reader.readexactly(8))[0]
    if length > FRAME_LIMIT or not second & 0x80:
        return CLOSE, struct.pack("!H", PROTOCOL_ERROR)
    mask = await reader.readexactly(4)
    data = await reader.readexactly(length)
    repeated = mask * (length // 4 + 1)
    unmasked = int.from_bytes(data, "big") ^ int.from_bytes(repeated[:length], "big")
    return first & 0x0F, unmasked.to_bytes(length, "big")


Handler = Callable[[Exchange], Awaitable[bool]]
ROUTES: dict[str, Handler] = {
    "/": root,
    "/echo": echo,
    "/env": environment,
    "/status": status,
    "/slow": slow,
    "/ws": websocket,
    "/duplicates": duplicates,
}


async def not_found(exchange: Exchange) -> bool:
    """Answer 404."""
    return await exchange.answer(b"not found\n", 404)


async def serve(app: App, connection: socket.socket) -> None:
    """Answer one connection's requests, one after the other."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader, writer = await asyncio.open_connection(sock=connection, limit=HEAD_LIMIT)
    try:
        while (first := await next_head(app, reader)) and await respond(app, first, reader, writer):
            pass
    except BadRequest:
        writer.write(head(400, {"Content-Length": "0", "Connection": "close"}))
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # the client went away, or sent what is no HTTP
    finally:
        writer.close()


async def respond(app: App, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; tell whether the connection goes on."""
    request = await read_request(reader, writer, first)
    return await ROUTES.get(request.path, not_found)(Exchange(app, request, reader, writer))


async def next_head(app: App, reader: asyncio.StreamReader) -> bytes:
    """Wait for a request; empty when none will come. While it waits the connection counts as idle."""
    task = asyncio.current_task()
    assert task is not None
    app.idle.add(task)
    try:
        if app.draining:
            return await last_head(reader)
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.CancelledError:
        task.uncancel()  # woken by the drain: what is on its way is still answered
        return await last_head(reader)
    finally:
        app.idle.discard(task)


async def last_head(reader: asyncio.StreamReader) -> bytes:
    """Give a request that is already on its way a moment to arrive."""
    try:
        async with asyncio.timeout(LAST_GRACE):
            return await reader.readuntil(b"\r\n\r\n")
    except (TimeoutError, asyncio.IncompleteReadError):
        return b""


async def main() -> None:
    """Listen until SIGTERM, then finish what runs."""
    await asyncio.sleep(float(os.environ.get("BOOT_SECONDS", "0")))
    app = App()
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "3000")))
    listener = socket.create_server(address, backlog=1024)
    listener.setblocking(False)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    deaf = os.environ.get("IGNORE_TERM") == "1"
    loop.add_signal_handler(signal.SIGTERM, (lambda: print("SIGTERM is ignored", flush=True)) if deaf else stop.set)
    async with asyncio.TaskGroup() as connections:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except BlockingIOError:
                    return
                connection.setblocking(False)
                connections.create_task(serve(app, connection))

        loop.add_reader(listener, accept)
        print(f"echo {VERSION} listens on {address[0]}:{address[1]}", flush=True)
        ticking = connections.create_task(tick(float(os.environ.get("TICK_SECONDS", "0"))))
        await stop.wait()
        ticking.cancel()
        app.draining = True
        loop.remove_reader(listener)
        accept()  # who is in the queue was promised an answer
        listener.close()
        for task in list(app.idle):
            task.cancel()
        for writer in list(app.websockets):
            writer.write(frame(CLOSE, struct.pack("!H", GOING_AWAY)))
        print(f"echo {VERSION} stops", flush=True)


async def tick(every: float, number: int = 0) -> None:
    """Print one number after the other, that a gap is seen."""
    while every:
        print(f"tick {INSTANCE} {number}", flush=True)
        number += 1
        await asyncio.sleep(every)


if __name__ == "__main__":
    if "EXIT_CODE" in os.environ:
        print(f"echo {VERSION} ends with {os.environ['EXIT_CODE']}, as it was told", flush=True)
        sys.exit(int(os.environ["EXIT_CODE"]))
    asyncio.run(main())
