"""Load on a server, under the caller's control, with an honest count of what failed.

    async with Load(Options(port=port, host="shop.test", ca=ca, rate=400)) as load:
        ...  # deploy, kill, reload
        summary = await load.stop()
    assert summary.failed == 0, summary.failures

The same from a terminal: `python -m tests.kit.load --port 443 --host shop.test --ca ca.pem --seconds 10`.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Self

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tako_modules.base.clock import SystemClock

from .traffic import Options

__all__ = ["FailedRequest", "Load", "Options", "Summary", "main"]

ROOT = Path(__file__).resolve().parents[2]
LINE_LIMIT = 1 << 20  # of one report: failures are described up to a number, so it stays far below
LOOK_SECONDS = 0.02  # between two looks at the numbers
STOP_SECONDS = 45.0  # the longest request there may be, and a little


class FailedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One failed request: its kind (`exchange.KINDS`), when it began and how long it took, in seconds of the load."""

    kind: str
    detail: str
    at: float
    after: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a load saw; started = finished + failed once it has stopped.

    versions: requests answered by each `X-Version`; spans: start of the first and of the last request each answered;
    first_version, last_version: by those starts. websocket_codes: how WebSockets ended (1006: without a close frame).
    median, p99, slowest: seconds of the requests of keep-alive and new-connection loops, connecting included.
    """

    seconds: float
    started: int
    finished: int
    failed: int
    failed_by_kind: dict[str, int]
    failures: tuple[FailedRequest, ...]
    versions: dict[str, int]
    spans: dict[str, tuple[float, float]]
    first_version: str
    last_version: str
    connections: int
    websocket_codes: dict[str, int]
    websocket_texts: int
    median: float
    p99: float
    slowest: float


class Load:
    """A running load; leaving the block without `stop` ends it at once."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._process: Process | None = None
        self._lines: BufferedByteReceiveStream | None = None

    async def __aenter__(self) -> Self:
        """Start; the first requests are on their way when this returns."""
        argv = [sys.executable, "-m", "tests.kit.traffic", json.dumps(asdict(self.options))]
        self._process = await anyio.open_process(
            argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None
        )
        assert self._process.stdout is not None
        self._lines = BufferedByteReceiveStream(self._process.stdout)
        await self._line()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        with anyio.CancelScope(shield=True):
            await self._process.aclose()

    async def peek(self) -> Summary:
        """Give the numbers so far; requests under way are neither finished nor failed."""
        assert self._process is not None
        assert self._process.stdin is not None
        await self._process.stdin.send(b"peek\n")
        return msgspec.json.decode(await self._line(), type=Summary)

    async def until(self, met: Callable[[Summary], bool], *, seconds: float = 30.0) -> Summary:
        """Look at the numbers until they are as wanted; raises TimeoutError after `seconds`."""
        clock = SystemClock()
        with anyio.fail_after(seconds):
            while not met(summary := await self.peek()):
                await clock.sleep(LOOK_SECONDS)
        return summary

    async def stop(self) -> Summary:
        """Start nothing new, finish what is under way, give the final numbers."""
        assert self._process is not None
        assert self._process.stdin is not None
        with anyio.fail_after(STOP_SECONDS):
            await self._process.stdin.aclose()
            summary = msgspec.json.decode(await self._line(), type=Summary)
            await self._process.wait()
        return summary

    async def _line(self) -> bytes:
        assert self._lines is not None
        return await self._lines.receive_until(b"\n", LINE_LIMIT)


async def _for_seconds(options: Options, seconds: float) -> Summary:
    async with Load(options) as load:
        await anyio.sleep(seconds)
        return await load.stop()


def main(words: Sequence[str]) -> int:
    """Make load for some seconds and print what it saw; 1 when a request failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.load", description="Load on a server, honestly counted.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", required=True, help="name for SNI and Host")
    parser.add_argument("--ca", default="", help="file of certificates to trust")
    parser.add_argument("--plain", action="store_true", help="no TLS")
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; default: as fast as possible")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    given = parser.parse_args(words)
    options = Options(port=given.port, host=given.host, ca=given.ca, plain=given.plain, rate=given.rate)
    summary = anyio.run(_for_seconds, options, given.seconds)
    print(msgspec.json.encode(summary).decode() if given.json else _in_words(summary))
    return 1 if summary.failed else 0


def _in_words(summary: Summary) -> str:
    median, p99, slowest = (f"{seconds * 1000:.1f} ms" for seconds in (summary.median, summary.p99, summary.slowest))
    return (
        f"{summary.started} requests in {summary.seconds:.1f} s, {summary.failed} failed {summary.failed_by_kind}\n"
        f"median {median}, p99 {p99}, slowest {slowest}\n"
        f"versions {summary.versions}, WebSockets ended {summary.websocket_codes}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
