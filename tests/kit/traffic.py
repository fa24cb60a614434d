"""The load itself, in a process of its own: loops that ask, compare and count until they are told to stop.

Started by `load.Load` with its options as one JSON argument. It prints `{"started": true}`, answers each line on
standard input with the numbers so far, and ends with the final numbers when standard input ends. A process of its own,
because a test that waits for something must not hold up the requests it counts.
"""

import asyncio
import contextlib
import json
import secrets
import signal
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from .conversation import Conversation, Ended
from .exchange import Connection, Failure, Response, Target
from .tally import Tally

__all__ = ["Options", "main"]

POST_EVERY = 10  # one request in ten
POST_BYTES = 64 * 1024
SLOW_PATH, SLOW_ENDS = "/slow?seconds=5", b"done\n"
TALK_SECONDS = 0.25  # between two texts on a WebSocket
HEAR_SECONDS = 10.0
PAUSE_AFTER_FAILURE = 0.02  # a server that is gone is not asked thousands of times a second
PAUSE_LIMIT = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What load to make.

    host is asked for by SNI and Host, at address:port; ca: file to trust, the system's when empty; plain: no TLS.
    rate: requests a second of the keep-alive and new-connection loops together; 0: as many as they can.
    path: what is asked for; reads: nothing is posted, for apps that only answer.
    """

    port: int
    host: str
    address: str = "127.0.0.1"
    ca: str = ""
    plain: bool = False
    keep_alive: int = 48
    fresh: int = 16
    slow: int = 4
    websockets: int = 2
    rate: float = 0.0
    path: str = "/"
    reads: bool = False

    def target(self) -> Target:
        """Read the certificates, once for all connections."""
        context = None if self.plain else ssl.create_default_context(cafile=self.ca or None)
        return Target(port=self.port, host=self.host, address=self.address, tls=context)


class Traffic:
    """The loops and what they share."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.target = options.target()
        self.tally = Tally()
        self.stop = asyncio.Event()
        self._run = secrets.token_hex(4)
        self._ids = 0
        self._next_turn = 0.0

    async def run(self) -> None:
        """Run all loops until `stop` is set; what is under way is finished."""
        async with asyncio.TaskGroup() as loops:
            for index in range(self.options.keep_alive):
                loops.create_task(self.keep_asking(index))
            for index in range(self.options.fresh):
                loops.create_task(self.ask_anew(index))
            for _ in range(self.options.slow):
                loops.create_task(self.ask_slowly())
            for _ in range(self.options.websockets):
                loops.create_task(self.talk())

    async def keep_asking(self, index: int) -> None:
        """Ask over one connection for as long as the server keeps it."""
        connection: Connection | None = None
        pause = PAUSE_AFTER_FAILURE
        while await self._turn():
            index += 1
            began = self._begin()
            try:
                if connection is None or not connection.usable:
                    connection = await self._another(connection)
                await self._ask(connection, index, began)
                pause = PAUSE_AFTER_FAILURE
            except Failure as failure:
                self.tally.broken(failure, began)
                connection = None
                pause = await self._pause_after_failure(pause)
        if connection is not None:
            connection.close()

    async def ask_anew(self, index: int) -> None:
        """Ask over a new connection each time."""
        pause = PAUSE_AFTER_FAILURE
        while await self._turn():
            index += 1
            began = self._begin()
            try:
                connection = await self._another(None)
                with contextlib.closing(connection):
                    await self._ask(connection, index, began, {"Connection": "close"})
                pause = PAUSE_AFTER_FAILURE
            except Failure as failure:
                self.tally.broken(failure, began)
                pause = await self._pause_after_failure(pause)

    async def ask_slowly(self) -> None:
        """Always have a long response under way."""
        pause = PAUSE_AFTER_FAILURE
        while not self.stop.is_set():
            began = self._begin()
            try:
                with contextlib.closing(await self._another(None)) as connection:
                    response = await connection.request("GET", SLOW_PATH)
                _expect_ok(response, ending=SLOW_ENDS)
                self.tally.answered(_version(response), began, timed=False)
                pause = PAUSE_AFTER_FAILURE
            except Failure as failure:
                self.tally.broken(failure, began)
                pause = await self._pause_after_failure(pause)

    async def talk(self) -> None:
        """Always have a WebSocket open; how each one ended is counted."""
        pause = PAUSE_AFTER_FAILURE
        while not self.stop.is_set():
            began = self._begin()
            try:
                self.tally.connections += 1
                conversation = await Conversation.open(self.target, "/ws")
                self.tally.answered(conversation.headers.get("x-version", ""), began, timed=False)
                pause = PAUSE_AFTER_FAILURE
                self.tally.close_codes[await self._converse(conversation)] += 1
            except Failure as failure:
                self.tally.broken(failure, began)
                pause = await self._pause_after_failure(pause)

    async def _converse(self, conversation: Conversation) -> int:
        """Say something, hear it again, until either side has enough; give the close code."""
        try:
            while not self.stop.is_set():
                said = f"{self._run}-{self.tally.texts}"
                await conversation.say(said)
                async with asyncio.timeout(HEAR_SECONDS):
                    heard = await conversation.hear()
                self._expect_echo(heard, said)
                await self._pause(TALK_SECONDS)
            return await conversation.goodbye()
        except TimeoutError:
            conversation.connection.close()
            self._extra_failure(Failure("timeout", "a text on a WebSocket was not answered"))
            return await conversation.goodbye()
        except Ended as ended:
            return ended.code

    def _expect_echo(self, heard: str, said: str) -> None:
        self.tally.texts += 1
        if heard != said:
            self._extra_failure(Failure("echo", f"a WebSocket answered {heard[:40]!r} to {said!r}"))

    def _extra_failure(self, failure: Failure) -> None:
        """Count a failure on a WebSocket whose handshake was counted as answered: as a request of its own."""
        self.tally.broken(failure, self._begin())

    async def _ask(
        self, connection: Connection, index: int, began: float, headers: dict[str, str] | None = None
    ) -> None:
        """Send the loop's next request and count its answer; raises Failure."""
        if self.options.reads or index % POST_EVERY:
            response = await connection.request("GET", self.options.path, headers=headers)
            _expect_ok(response)
        else:
            self._ids += 1
            identity = f"{self._run}-{self._ids}"
            body = (identity.encode() + b" ") * (POST_BYTES // (len(identity) + 1) + 1)
            response = await connection.request(
                "POST", "/echo", headers={"X-Id": identity, **(headers or {})}, body=body[:POST_BYTES]
            )
            _expect_ok(response)
            if response.body != body[:POST_BYTES] or response.headers.get("x-id") != identity:
                connection.close()
                raise Failure("echo", f"{identity}: another body came back, {len(response.body)} bytes")
            if response.headers.get("x-seen") != "1":
                raise Failure("duplicate", f"{identity} arrived {response.headers.get('x-seen')} times")
        self.tally.answered(_version(response), began, timed=True)

    async def _another(self, old: Connection | None) -> Connection:
        """Open a connection in place of one that the server has ended."""
        if old is not None:
            old.close()
        self.tally.connections += 1
        return await Connection.open(self.target)

    def _begin(self) -> float:
        self.tally.started += 1
        return self.tally.now()

    async def _turn(self) -> bool:
        """Wait for the next place at the wanted rate; False when it is time to stop. Missed places are not made up."""
        if self.options.rate and not self.stop.is_set():
            now = self.tally.now()
            turn = max(self._next_turn, now)
            self._next_turn = turn + 1 / self.options.rate
            await self._pause(turn - now)
        return not self.stop.is_set()

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.stop.wait()

    async def _pause_after_failure(self, seconds: float) -> float:
        """Wait, and give the next pause: twice as long, to a limit."""
        await self._pause(seconds)
        return min(2 * seconds, PAUSE_LIMIT)


def _expect_ok(response: Response, *, ending: bytes = b"") -> None:
    if response.status != 200:
        raise Failure("status", f"{response.status} {response.body[:80].decode(errors='replace')!r}")
    if not response.body.endswith(ending):
        raise Failure("short", f"a whole response without its last words, {len(response.body)} bytes")


def _version(response: Response) -> str:
    return response.headers.get("x-version", "")


async def _obey(traffic: Traffic) -> None:
    """Answer each line with the numbers so far; the end of standard input ends the load."""
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        _report(traffic.tally.summary())
    traffic.stop.set()


def _report(facts: dict[str, object]) -> None:
    print(json.dumps(facts), flush=True)


async def main(words: Sequence[str]) -> None:
    """Run the load that the one argument describes."""
    traffic = Traffic(Options(**json.loads(words[0])))
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, traffic.stop.set)  # Ctrl-C reaches the whole group
    async with asyncio.TaskGroup() as both:
        obeying = both.create_task(_obey(traffic))
        _report({"started": True})
        await traffic.run()
        obeying.cancel()
    _report(traffic.tally.summary())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
