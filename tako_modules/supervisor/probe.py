"""One look at an instance over loopback: a GET or a connection; plain sockets, for there may be hundreds a second."""

import errno
import os
import re
import socket
from collections.abc import Callable
from contextlib import closing

import anyio

from .verdict import Seen

__all__ = ["BODY_LIMIT", "TIMEOUT", "connects", "get"]

HOST = "127.0.0.1"
TIMEOUT = 2.0  # seconds for a whole probe
HEAD_LIMIT = 16 << 10  # bytes of a response head: twice what servers commonly allow
BODY_LIMIT = 4 << 10  # bytes of a body that are read
BODY_SECONDS = 0.5  # for the body after the head: a stream of events never ends, and its status has been seen
BLOCK = 4 << 10  # bytes read at a time
SHOWN = 200  # characters of a Location, or of what is no HTTP, that people get to see
FINAL = 200  # statuses below are interim responses (RFC 9110 15.2)
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?\r?\n")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n")


class _Unanswered(Exception):
    """There is no response; the text says why."""


async def connects(port: int, timeout: float = TIMEOUT) -> str:
    """Try a TCP connection: "" when it stands, else the reason. Never raises."""
    try:
        with anyio.fail_after(timeout):
            connection = await _connect(port)
    except TimeoutError:
        return f"no connection within {timeout:g} s"
    except _Unanswered as problem:
        return str(problem)
    connection.close()
    return ""


async def get(port: int, host: str, path: str, timeout: float = TIMEOUT) -> Seen:
    """Send one GET and read the head and the beginning of the body; redirects are not followed. Never raises."""
    seen = Seen(url=f"http://{HOST}:{port}{path}", host=host)
    try:
        with anyio.fail_after(timeout), closing(await _connect(port)) as connection:
            return await _ask(connection, seen, path)
    except TimeoutError:
        error = f"no answer within {timeout:g} s"
    except _Unanswered as problem:
        error = str(problem)
    return Seen(url=seen.url, host=host, error=error)


async def _connect(port: int) -> socket.socket:
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        number = connection.connect_ex((HOST, port))
        if number == errno.EINPROGRESS:
            await anyio.wait_writable(connection)
            number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number == 0 and connection.getsockname() == (HOST, port):
            number = errno.ECONNREFUSED  # where nobody listens, TCP may meet itself (RFC 9293 3.5, simultaneous open)
    except BaseException:
        connection.close()
        raise
    if number:
        connection.close()
        raise _Unanswered(os.strerror(number).lower())
    return connection


async def _ask(connection: socket.socket, seen: Seen, path: str) -> Seen:
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {seen.host}",
        "User-Agent: tako-probe",
        "Accept: */*",
        "Connection: close",
    )
    try:
        connection.send("\r\n".join((*lines, "", "")).encode())  # the empty buffer of a new socket takes it whole
    except OSError as error:
        raise _Unanswered(os.strerror(error.errno or errno.EPIPE).lower()) from error
    data = bytearray()
    status, head = await _read_head(connection, data)
    with anyio.move_on_after(BODY_SECONDS):
        await _read(connection, data, lambda: _decode(head, data)[1])
    body, _ = _decode(head, data)
    return Seen(
        url=seen.url,
        host=seen.host,
        status=status,
        location=_header(head, b"location").decode(errors="replace")[:SHOWN],
        body=body[:BODY_LIMIT].decode(errors="replace"),
    )


async def _read_head(connection: socket.socket, data: bytearray) -> tuple[int, bytes]:
    """Read status and head of the final response; `data` keeps what came behind it."""
    status = 0
    head = b""
    while status < FINAL:
        await _read(connection, data, lambda: len(data) > HEAD_LIMIT or _HEAD_END.search(data) is not None)
        line, end = _STATUS.match(data), _HEAD_END.search(data)
        if line is None or end is None:
            raise _Unanswered(f"no HTTP response but {bytes(data[:SHOWN])!r}" if data else "closed without an answer")
        status, head = int(line[1]), bytes(data[: end.end()])
        del data[: end.end()]
    return status, head


async def _read(connection: socket.socket, data: bytearray, is_enough: Callable[[], bool]) -> None:
    """Add to `data` until it is enough or the app has closed the connection."""
    while not is_enough():
        await anyio.wait_readable(connection)
        try:
            more = connection.recv(BLOCK)
        except BlockingIOError:
            continue
        except OSError:
            return  # reset: what came before may be an answer all the same
        if not more:
            return
        data += more


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\n")[1:]:
        found, colon, value = line.partition(b":")
        if colon and found.strip().lower() == name:
            return value.strip()
    return b""


def _decode(head: bytes, data: bytearray) -> tuple[bytes, bool]:
    """Give the body so far, and whether it is all that will be read (RFC 9112 6.3)."""
    if _header(head, b"transfer-encoding").lower().endswith(b"chunked"):
        body, ended = _join_chunks(data)
        return body, ended or len(body) >= BODY_LIMIT
    length = _header(head, b"content-length")
    wanted = min(int(length), BODY_LIMIT) if length.isdigit() else BODY_LIMIT
    return bytes(data[:wanted]), len(data) >= wanted


def _join_chunks(data: bytearray) -> tuple[bytes, bool]:
    body, at = b"", 0
    while chunk := _CHUNK.match(data, at):
        size = int(chunk[1], 16)
        if size == 0:
            return body, True
        body += data[chunk.end() : chunk.end() + size]
        at = chunk.end() + size + 2
    return body, False
