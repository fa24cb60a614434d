"""One connection of the management socket, on the server's side: requests in, events and answers out, in order.

A reader runs beside the handlers, so that a peer that hangs up is noticed while one works. Its read-ahead is bounded.
"""

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import anyio
import msgspec
from anyio.abc import ByteStream

from tako_modules.base import log
from tako_modules.base.clock import Clock
from tako_modules.base.errors import TakoError
from tako_modules.protocol import frames, messages, replies
from tako_modules.protocol.errors import FrameError, MessageError
from tako_modules.protocol.messages import Request

from .peer import Peer
from .refusal import failure_of, sole_error

__all__ = ["Call", "Connection", "Handler", "Limits", "UploadCut"]

CHUNK = 64 << 10  # bytes of one read
READ_AHEAD = 4  # chunks that wait while a handler works: pipelined requests, or the next bytes of an upload
HANGUP_PAUSE = 1.0  # seconds between looks whether a peer that has sent its last byte still reads
TRACEBACK_LIMIT = 6000  # characters kept of a traceback: a log line has its own bound, and the end tells most


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what peers can cost; seconds, and a number of connections."""

    connections: int = 256  # a deploy uses two, a person rarely more than five
    idle: float = 600.0  # without a whole request: a forgotten client
    send: float = 30.0  # for one answer or event: a peer that does not read
    stall: float = 60.0  # for the next bytes of an upload: the network under it is gone


class UploadCut(TakoError):
    """The peer left, or went silent, in the middle of an upload."""

    code = "upload_cut"


_TOO_LONG = replies.Failure(
    message=f"the answer is longer than {frames.LINE_LIMIT} bytes", code="too_long", hint="ask for less at once"
)
Handler = Callable[[Request, "Call"], Awaitable[msgspec.Struct]]


class Call:
    """What a handler has of the connection that asked.

    peer: who asks; gone: set when nobody is there any more to read the answer, or the connection has ended. A handler
    decides by itself whether that ends its work: events of a call that is gone are dropped silently.
    """

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self.peer = connection.peer
        self.gone = connection.gone
        self.upload: frames.FrameDecoder | None = None

    async def event(self, event: msgspec.Struct) -> None:
        """Send one line before the answer; a SendEvent opens the upload that `frames` then gives."""
        if isinstance(event, replies.SendEvent):
            self.upload = frames.FrameDecoder()
        await self._connection.send(replies.encode_event(event))

    async def frames(self) -> AsyncIterator[bytes]:
        """Give the upload's pieces until its end; a SendEvent must have been sent. Raises UploadCut."""
        upload = self.upload
        assert upload is not None, "a SendEvent opens an upload"
        data = self._connection.lines.rest()
        while True:
            for piece in upload.feed(data):
                yield piece
            if upload.done:
                self._connection.lines.feed(upload.rest())
                return
            data = await self._connection.upload_bytes()


class Connection:
    """One peer from its first byte to its last; hung_up: tells whether the peer has closed both directions."""

    def __init__(
        self,
        stream: ByteStream,
        peer: Peer,
        handler: Handler,
        *,
        limits: Limits,
        clock: Clock,
        hung_up: Callable[[], bool],
    ) -> None:
        self.peer = peer
        self.gone = anyio.Event()
        self.lines = frames.LineDecoder()
        self._stream = stream
        self._handler = handler
        self._limits = limits
        self._clock = clock
        self._hung_up = hung_up
        self._sending = anyio.Lock()
        self._incoming, self._chunks = anyio.create_memory_object_stream[bytes](READ_AHEAD)

    async def run(self) -> None:
        """Answer requests until the peer has no more, is idle for too long, or breaks the framing."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read)
                await self._answer_all()
                tasks.cancel_scope.cancel()
        finally:
            self.gone.set()
            self._incoming.close()
            self._chunks.close()
            await anyio.aclose_forcefully(self._stream)

    async def send(self, line: bytes) -> None:
        """Send a whole line; a peer that does not take it in time is dropped."""
        async with self._sending:
            if self.gone.is_set():
                return
            try:
                with anyio.fail_after(self._limits.send):
                    await self._stream.send(line)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, TimeoutError):
                self.gone.set()
                await anyio.aclose_forcefully(self._stream)

    async def upload_bytes(self) -> bytes:
        """Give the next bytes of an upload; raises UploadCut."""
        try:
            with anyio.fail_after(self._limits.stall):
                return await self._chunks.receive()
        except anyio.EndOfStream:
            raise UploadCut("the connection ended in the middle of an upload", hint="send it again") from None
        except TimeoutError:
            raise UploadCut(
                f"no byte of the upload came for {self._limits.stall:.0f} s", hint="send it again"
            ) from None

    async def _read(self) -> None:
        with self._incoming:
            try:
                while True:
                    await self._incoming.send(await self._stream.receive(CHUNK))
            except anyio.EndOfStream:
                pass
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                self.gone.set()
                return
        while not self._hung_up():
            await self._clock.sleep(HANGUP_PAUSE)
        self.gone.set()

    async def _answer_all(self) -> None:
        try:
            while not self.gone.is_set() and (line := await self._next_line()) is not None:
                if not await self._answer(line):
                    return
        except FrameError as error:
            await self.send(replies.encode_error(replies.Failure(message=str(error), code="invalid")))

    async def _next_line(self) -> bytes | None:
        with anyio.move_on_after(self._limits.idle):
            while (line := self.lines.line()) is None:
                try:
                    self.lines.feed(await self._chunks.receive())
                except anyio.EndOfStream:
                    return None
            return line
        return None

    async def _answer(self, line: bytes) -> bool:
        """Answer one request; False when the connection cannot go on, because an upload was left in its middle."""
        call = Call(self)
        try:
            answer = replies.encode_data(await self._handler(messages.decode_request(line), call))
            if len(answer) > frames.LINE_LIMIT:
                answer = replies.encode_error(_TOO_LONG)
        except MessageError as error:
            answer = replies.encode_error(replies.Failure(message=error.message, code=error.code, hint=error.hint))
        except Exception as error:  # noqa: BLE001 - a server's guard: one request's bug must not end the others
            answer = replies.encode_error(_failure(sole_error(error)))
        await self.send(answer)
        return call.upload is None or call.upload.done


def _failure(error: BaseException) -> replies.Failure:
    if isinstance(error, TakoError):
        return failure_of(error)
    if isinstance(error, FrameError):
        return replies.Failure(message=str(error), code="invalid")
    text = "".join(traceback.format_exception(error))
    log.error("mgmt.internal", error, traceback=text[-TRACEBACK_LIMIT:])
    return replies.Failure(
        message=f"the server met a mistake of its own: {type(error).__name__}",
        code="internal",
        hint="run `journalctl -u tako` on the server and report what it says",
    )
