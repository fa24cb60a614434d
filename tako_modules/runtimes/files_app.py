"""The program behind runtime `static`: `tako.pyz __static__ DIR` serves a folder over HTTP/1.1 on $HOST:$PORT.

It runs as the app's user behind tako's proxy, which has checked the framing of requests; what arrives is checked again,
because all apps of a machine share the loopback. Standard library only.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .files_answer import Answer, Asked, answer, refusal

__all__ = ["Site", "main", "serve_directory"]

_CONNECTIONS = 1024  # open at once; the proxy keeps far fewer per instance
_HEAD_LIMIT = 32_768  # bytes of a request head
_HEAD_SECONDS = 15.0  # from its first byte to its last
_IDLE_SECONDS = 90.0  # between two requests: longer than the proxy keeps an idle connection
_STALL_SECONDS = 60.0  # without room for more of a response
_DRAIN_SECONDS = 10.0  # for responses that are under way at SIGTERM, as long as the server waits before SIGKILL
_PIECE = 262_144  # bytes of a file read at a time
_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/(\d)\.(\d)")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*?)[ \t]*")
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


def main(path: str) -> None:
    """Serve a folder at $HOST:$PORT, as an instance of an app does; ends the process with 1 when that cannot be."""
    host, port = os.environ.get("HOST", "127.0.0.1"), os.environ.get("PORT", "")
    if not port.isdigit():
        sys.exit("PORT is not set: this program is started by tako, for runtime static")
    if not Path(path).is_dir():
        sys.exit(f"{path} is not a folder of this release: set main in tako.toml to the folder of the site")
    try:
        serve_directory(path, host, int(port))
    except OSError as error:
        sys.exit(f"cannot serve {path} at {host}:{port}: {error.strerror}")


def serve_directory(path: str, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way; raises OSError when the port cannot be had."""
    asyncio.run(_serve_until_signalled(Site(Path(path)), host, port))


async def _serve_until_signalled(site: "Site", host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await site.serve(host, port, stop, lambda _: None)


class Site:
    """A folder that is served, and the connections to it."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._idle: set[asyncio.StreamWriter] = set()
        self._open = 0
        self._stopping = False
        self._empty = asyncio.Event()

    async def serve(self, host: str, port: int, stop: asyncio.Event, started: Callable[[int], None]) -> None:
        """Serve until `stop`; `started` is told the port. Raises OSError when it cannot be had."""
        server = await asyncio.start_server(self._connected, host, port, limit=_HEAD_LIMIT, backlog=_CONNECTIONS)
        started(server.sockets[0].getsockname()[1])
        try:
            await stop.wait()
        finally:
            server.close()
        self._stopping = True
        for writer in self._idle:
            writer.close()
        if self._open:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), _DRAIN_SECONDS)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _CONNECTIONS:
                await self._talk(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()  # the client is gone, or too slow
        finally:
            writer.close()
            self._open -= 1
            if not self._open:
                self._empty.set()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other until either side closes."""
        while not self._stopping:
            self._idle.add(writer)
            try:
                first = await asyncio.wait_for(reader.read(1), _IDLE_SECONDS)
            finally:
                self._idle.discard(writer)
            if not first:
                return
            asked, close = await _read(reader, first)
            given = asked if isinstance(asked, Answer) else answer(self._root, asked)
            close = close or self._stopping
            await _write(writer, given, close=close, body=isinstance(asked, Answer) or asked.method != "HEAD")
            if close:
                return


async def _read(reader: asyncio.StreamReader, first: bytes) -> tuple[Asked | Answer, bool]:
    """Read one head: the request or what refuses it, and whether the connection ends with the answer."""
    try:
        head = first + await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_SECONDS)
    except asyncio.LimitOverrunError:
        return refusal(431), True
    except TimeoutError:
        return refusal(408), True
    lines = head.decode("latin-1").lstrip("\r\n").removesuffix("\r\n\r\n").split("\r\n")
    start = _LINE.fullmatch(lines[0])
    fields = [_FIELD.fullmatch(line) for line in lines[1:]]
    if not start or None in fields:
        return refusal(400), True
    if start[3] != "1":
        return refusal(505), True
    headers = {field[1].lower(): field[2] for field in fields if field}
    hosts = sum(1 for field in fields if field and field[1].lower() == "host")
    if hosts > 1 or (start[4] != "0" and not hosts):
        return refusal(400), True
    has_body = "transfer-encoding" in headers or any(
        field[2] != "0" for field in fields if field and field[1].lower() == "content-length"
    )
    words = [word.strip().lower() for word in headers.get("connection", "").split(",")]
    # a body is not read: the connection ends with the answer instead
    return Asked(start[1], _ABSOLUTE.sub("", start[2], count=1) or "/", headers), (
        has_body or "close" in words or start[4] == "0"
    )


async def _write(writer: asyncio.StreamWriter, given: Answer, *, close: bool, body: bool) -> None:
    try:
        writer.write(given.head(close=close) + (given.body if body and given.status != 304 else b""))
        at, left = given.start, given.length if body and given.descriptor >= 0 else 0
        while left:
            piece = os.pread(given.descriptor, min(left, _PIECE), at)
            if not piece:
                raise ConnectionError("the file became shorter")
            writer.write(piece)
            at, left = at + len(piece), left - len(piece)
            await asyncio.wait_for(writer.drain(), _STALL_SECONDS)
        await asyncio.wait_for(writer.drain(), _STALL_SECONDS)
    finally:
        if given.descriptor >= 0:
            os.close(given.descriptor)
