"""One WebSocket client connection (RFC 6455) for load tests, on the standard library."""

import asyncio
import base64
import hashlib
import secrets
import struct
from collections.abc import Mapping

from .exchange import Connection, Failure, Target

__all__ = ["ABNORMAL", "Conversation", "Ended"]

KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # section 1.3
ABNORMAL, NO_STATUS, NORMAL = 1006, 1005, 1000  # section 7.4.1: no close frame, one without a code, a goodbye
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
LENGTH_LIMIT = 1 << 20
GOODBYE_SECONDS = 5.0


class Ended(Exception):
    """The other side ended the connection: with a close code, or 1006 without a close frame."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class Conversation:
    """An open WebSocket: `say` a text and get the answer to it."""

    def __init__(self, connection: Connection, headers: Mapping[str, str]) -> None:
        self.connection = connection
        self.headers = headers

    @classmethod
    async def open(cls, target: Target, path: str) -> "Conversation":
        """Connect and shake hands; raises Failure."""
        connection = await Connection.open(target)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
        }
        response = await connection.request("GET", path, headers=headers)
        expected = base64.b64encode(hashlib.sha1(key.encode() + KEY, usedforsecurity=False).digest()).decode()
        if response.status != 101:
            connection.close()
            raise Failure("status", f"{response.status} for a WebSocket handshake")
        if response.headers.get("sec-websocket-accept") != expected:
            connection.close()
            raise Failure("malformed", "another Sec-WebSocket-Accept than the key's")
        return cls(connection, response.headers)

    async def say(self, text: str) -> None:
        """Send a text frame."""
        await self._send(TEXT, text.encode())

    async def hear(self) -> str:
        """Wait for the next text; pings are answered. Raises Ended when the other side closes."""
        while True:
            opcode, payload = await self._frame()
            if opcode == TEXT:
                return payload.decode()
            if opcode == PING:
                await self._send(PONG, payload)
            elif opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else NO_STATUS
                await self._send(CLOSE, payload[:2])
                self.connection.close()
                raise Ended(code)

    async def goodbye(self) -> int:
        """Close from our side; give the code that came back, 1006 when none did."""
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._send(CLOSE, struct.pack("!H", NORMAL))
                while True:
                    await self.hear()
        except Ended as ended:
            return ended.code
        except TimeoutError:
            return ABNORMAL
        finally:
            self.connection.close()

    async def _send(self, opcode: int, payload: bytes) -> None:
        mask = secrets.token_bytes(4)
        length = (
            struct.pack("!B", 0x80 | len(payload))
            if len(payload) < 126
            else struct.pack("!BH", 0x80 | 126, len(payload))
        )
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        try:
            self.connection.writer.write(bytes([0x80 | opcode]) + length + mask + masked)
            await self.connection.writer.drain()
        except OSError as error:
            if opcode != CLOSE:
                raise self._end(ABNORMAL) from error

    async def _frame(self) -> tuple[int, bytes]:
        reader = self.connection.reader
        try:
            first, second = await reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                length = struct.unpack("!H", await reader.readexactly(2))[0]
            if first & 0x70 or second & 0x80 or length > LENGTH_LIMIT or length == 127:
                raise self._end(ABNORMAL)
            return first & 0x0F, await reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise self._end(ABNORMAL) from error

    def _end(self, code: int) -> Ended:
        self.connection.close()
        return Ended(code)
