"""Who asks: wrk, h2load, openssl, and a crowd of idle connections."""

import asyncio
import re
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from .hosts import HOST
from .peers import Proxy
from .processes import memory, tree
from .scenarios import Scenario, Tool
from .site import pinned
from .waiting import pause

__all__ = ["Seen", "ask"]

SECONDS_OF = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
OPENING = 50  # idle connections whose handshakes are under way at a time
SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the asking side saw; median and p99 in seconds, grown: KiB of the proxy's memory."""

    done: int
    errors: int = 0
    median: float = 0.0
    p99: float = 0.0
    grown: int = 0


def ask(proxy: Proxy, load: Scenario, seconds: int) -> Seen:
    """Put one load on a proxy and wait for its end."""
    return _TOOLS[load.tool](proxy, load, seconds)


def _run(proxy: Proxy, *argv: str) -> str:
    return subprocess.run(pinned(proxy.site.cores.load, *argv), capture_output=True, text=True).stdout


def _wrk(proxy: Proxy, load: Scenario, seconds: int) -> Seen:
    scheme, port = ("https", proxy.https) if load.tls else ("http", proxy.http)
    argv = ["wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s", "--latency", "--timeout", "20s"]
    for header in (f"Host: {HOST}", *load.headers):
        argv += ["-H", header]
    if load.script:
        script = proxy.folder / "load.lua"
        script.write_text(load.script)
        argv += ["-s", str(script)]
    words = _run(proxy, *argv, f"{scheme}://127.0.0.1:{port}{load.path}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", words)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", words)
    return Seen(
        done=int(_found(r"(\d+) requests in", words)),
        errors=(int(refused[1]) if refused else 0) + (sum(map(int, broken.groups())) if broken else 0),
        median=_seconds(_found(r"50%\s+(\S+)", words)),
        p99=_seconds(_found(r"99%\s+(\S+)", words)),
    )


def _h2load(proxy: Proxy, load: Scenario, seconds: int) -> Seen:
    """Latencies come from the log of all requests."""
    times, addresses = proxy.folder / "h2.log", proxy.folder / "addresses"
    times.unlink(missing_ok=True)
    url = f"https://{HOST}{load.path}"
    addresses.write_text("\n".join(f"{url}/{number}?q={number * 7919}" for number in range(load.addresses)))
    target = ["-i", str(addresses)] if load.addresses else [url]
    argv = ["h2load", f"-c{load.connections}", f"-m{load.streams}", f"-D{seconds}", "--warm-up-time=0"]
    words = _run(proxy, *argv, f"--log-file={times}", f"--connect-to=127.0.0.1:{proxy.https}", *target)
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", words)
    done, failed, errored = map(int, counts.groups()) if counts else (0, 1, 0)
    order = sorted(int(line.split()[2]) / 1e6 for line in times.read_text().splitlines()) or [0.0]
    return Seen(done=done, errors=failed + errored, median=order[len(order) // 2], p99=order[int(len(order) * 0.99)])


def _s_time(proxy: Proxy, _load: Scenario, seconds: int) -> Seen:
    argv = ["openssl", "s_time", "-connect", f"127.0.0.1:{proxy.https}", "-reuse", "-tls1_2", "-time", str(seconds)]
    return Seen(done=int(_found(r"(\d+) connections in", _run(proxy, *argv), last=True)))


def _idle(proxy: Proxy, load: Scenario, _seconds: int) -> Seen:
    """Open connections, ask once on each, keep them, and read the proxy's memory."""
    before = memory(*tree(proxy.pid)).pss
    grown = asyncio.run(_crowd(proxy, load.connections)) - before
    pause(SETTLE_SECONDS)
    return Seen(done=load.connections, grown=grown)


async def _crowd(proxy: Proxy, connections: int) -> int:
    context = ssl.create_default_context(cafile=str(proxy.site.cert))
    gate = asyncio.Semaphore(OPENING)
    kept: list[asyncio.StreamWriter] = []

    async def one() -> None:
        async with gate:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", proxy.https, ssl=context, server_hostname=HOST, limit=4096
            )
            kept.append(writer)
            writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(one())
    pause(SETTLE_SECONDS)
    held = memory(*tree(proxy.pid)).pss
    for writer in kept:
        writer.transport.abort()
    return held


def _found(pattern: str, words: str, *, last: bool = False) -> str:
    found = re.findall(pattern, words)
    return str(found[-1 if last else 0]) if found else "0"


def _seconds(text: str) -> float:
    """Read wrk's times: 1.5ms is 0.0015."""
    found = re.match(r"([\d.]+)(us|ms|s|m)", text)
    return float(found[1]) * SECONDS_OF[found[2]] if found else 0.0


_TOOLS: dict[Tool, Callable[[Proxy, Scenario, int], Seen]] = {
    Tool.WRK: _wrk,
    Tool.H2LOAD: _h2load,
    Tool.S_TIME: _s_time,
    Tool.IDLE: _idle,
}
