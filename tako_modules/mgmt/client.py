"""The client's side of the management socket: one request, its events, its answer; one at a time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import anyio
import msgspec
from anyio.abc import ByteStream

from tako_modules.base.errors import TakoError, Unreachable
from tako_modules.protocol import frames, messages, replies
from tako_modules.protocol.errors import FrameError, MessageError
from tako_modules.protocol.messages import Hello, Request, Upload
from tako_modules.protocol.replies import Failure, HelloData, LineEvent, SendEvent, StepEvent, UploadData
from tako_modules.protocol.version import PROTOCOL

from .pour import UploadSource
from .refusal import error_of, sole_error
from .unix_stream import connect

__all__ = ["Client", "Event", "VersionMismatch", "connect_unix", "greet"]

HELLO_SECONDS = 15.0  # a server answers hello at once, whatever else it does; SSH may add a slow start of the pipe
T = TypeVar("T")
Event = LineEvent | StepEvent
_EVENTS: dict[str, type[Event]] = {"line": LineEvent, "step": StepEvent}
SAME_TAKO = "use the tako that set this server up"


class VersionMismatch(TakoError):
    """Client and server speak different protocols; server: what it said of itself."""

    code = "version_mismatch"

    def __init__(self, message: str, *, hint: str, server: HelloData) -> None:
        super().__init__(message, hint=hint)
        self.server = server


class _Kind(msgspec.Struct, frozen=True):
    event: str


class Client:
    """A connection to a server; `name` is how messages call it; `server` is its hello.

    Calls of several tasks wait for each other: a lease is renewed beside a long call on a connection of its own.
    """

    def __init__(self, stream: ByteStream, name: str) -> None:
        self.name = name
        self.server: HelloData | None = None
        self._stream = stream
        self._lines = frames.LineDecoder()
        self._turns = anyio.Lock()
        self._over = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Hang up; a server that works on a request goes on or stops as that request says."""
        self._over = True
        await anyio.aclose_forcefully(self._stream)

    async def hello(self) -> HelloData:
        """Greet the server; raises VersionMismatch when it speaks another protocol."""
        try:
            with anyio.fail_after(HELLO_SECONDS):
                data = await self.call(Hello(protocol_version=PROTOCOL), HelloData)
        except TimeoutError:
            raise Unreachable(
                f"{self.name} does not answer: no hello within {HELLO_SECONDS:.0f} s",
                hint="check your network, look with `tako status`, and run the same command again",
            ) from None
        if data.protocol_version != PROTOCOL:
            older = data.protocol_version < PROTOCOL
            raise VersionMismatch(
                f"{self.name} runs tako {data.server_version} and speaks protocol {data.protocol_version}; "
                f"this tako speaks protocol {PROTOCOL}",
                hint="set it up anew by `tako servers uninstall` and `tako servers add`, or use a tako as old as it"
                if older
                else "use a tako as new as the server",
                server=data,
            )
        self.server = data
        return data

    async def call(self, request: Request, kind: type[T], on_event: Callable[[Event], None] | None = None) -> T:
        """Send a request and give its answer; its events are handed on as they come.

        Raises Refused, or Locked for the lease's codes, as the server worded it; Unreachable when the connection ends.
        """
        async with self._turn():
            await self._send(messages.encode_request(request))
            answer = await self._answer(on_event)
        return self._read(answer, kind)

    async def upload(self, request: Upload, source: Path, progress: Callable[[int], None] | None = None) -> UploadData:
        """Send an artifact from the offset that the server asks for; progress: bytes of the file that are sent."""
        async with self._turn():
            await self._send(messages.encode_request(request))
            answer = await self._answer(None)
            if isinstance(answer, SendEvent):
                answer = await self._pour(UploadSource(source, answer.offset, request.size, progress))
        return self._read(answer, UploadData)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Hold the connection for one request; whatever leaves it in the middle of one makes it useless."""
        async with self._turns:
            if self._over:
                raise self._ended()
            self._over = True
            try:
                yield
            except (MessageError, FrameError) as error:
                raise TakoError(f"{self.name}: {error}", hint=SAME_TAKO) from error
            self._over = False

    async def _send(self, data: bytes) -> None:
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # what the server said before it closed tells why; reading finds it, or the end

    async def _answer(self, on_event: Callable[[Event], None] | None) -> bytes | Failure | SendEvent:
        while True:
            line = await self._line()
            answer = replies.decode_reply(line)
            if answer is not None:
                return answer
            name = replies.decode_data(line, _Kind).event
            if name == "send":
                return replies.decode_data(line, SendEvent)
            kind = _EVENTS.get(name)  # events of a newer server are passed over
            if kind is not None and on_event is not None:
                on_event(replies.decode_data(line, kind))

    def _read(self, answer: bytes | Failure | SendEvent, kind: type[T]) -> T:
        if isinstance(answer, Failure):
            raise error_of(answer)
        if isinstance(answer, SendEvent):
            raise TakoError(f"{self.name} wants bytes that were not offered", hint=SAME_TAKO)
        try:
            return replies.decode_data(answer, kind)
        except MessageError as error:
            raise TakoError(f"{self.name}: {error}", hint=SAME_TAKO) from error

    async def _line(self) -> bytes:
        while (line := self._lines.line()) is None:
            try:
                self._lines.feed(await self._stream.receive())
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                raise self._ended() from None
        return line

    async def _pour(self, source: UploadSource) -> bytes | Failure | SendEvent:
        """Send frames while waiting for the answer, which may come early: a full disk, a lost lease."""
        answer: bytes | Failure | SendEvent | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(source.pour, self._send, tasks.cancel_scope)
                answer = await self._answer(None)
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise sole_error(group) from None
        if source.problem is not None:
            raise source.problem
        assert answer is not None, "only a problem of the source ends the group without an answer"
        if isinstance(answer, Failure) and not source.done:
            raise error_of(answer)  # inside the turn: the server closes, because the frames were not finished
        return answer

    def _ended(self) -> Unreachable:
        return Unreachable(
            f"the connection to {self.name} ended before it answered",
            hint="the server finishes or undoes what it began: run `tako status`",
        )


async def greet(stream: ByteStream, name: str) -> Client:
    """Make a client of a fresh stream and say hello; the stream is closed when that fails."""
    client = Client(stream, name)
    try:
        await client.hello()
    except BaseException:
        await client.aclose()
        raise
    return client


async def connect_unix(path: Path, name: str = "the server") -> Client:
    """Connect to a server of this machine and say hello; raises Unreachable when none listens there."""
    try:
        stream = await connect(path)
    except PermissionError as error:
        raise Unreachable(
            f"{name} does not let you in: {path} may be opened by root and by members of the group tako",
            hint="run it with sudo, or have yourself added: `sudo usermod -aG tako $USER`, then log in again",
        ) from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise Unreachable(
            f"{name} does not run: nothing listens at {path}",
            hint="start it: `sudo systemctl start tako`, or `tako servers restart local` for the built-in one",
        ) from error
    except OSError as error:
        raise Unreachable(f"{name} cannot be reached at {path}: {error.strerror or error}") from error
    return await greet(stream, name)
