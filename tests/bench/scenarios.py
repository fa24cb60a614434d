"""What the proxies are asked: one frozen value for each kind of load."""

from dataclasses import dataclass
from enum import StrEnum, auto

__all__ = ["SCENARIOS", "Scenario", "Tool", "Unit"]


class Tool(StrEnum):
    """Who asks."""

    WRK = auto()
    H2LOAD = auto()
    S_TIME = auto()
    IDLE = auto()


class Unit(StrEnum):
    """What CPU time is divided by."""

    REQUEST = "req"
    MEGABYTE = "MB"
    HANDSHAKE = "handshake"
    CONNECTION = "conn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One load; bar: the most that Tako may cost, as a multiple of the proxy that all are compared with."""

    about: str
    tool: Tool = Tool.WRK
    tls: bool = False
    unit: Unit = Unit.REQUEST
    path: str = "/hello?x=1"
    connections: int = 64
    streams: int = 1
    addresses: int = 0
    headers: tuple[str, ...] = ()
    script: str = ""
    bar: float | None = None


UPLOAD = "wrk.method='POST' wrk.body=string.rep('x',10485760)"
VARY = """local n = 0
request = function()
  n = n + 1
  local host, cookie = 'Host: ' .. wrk.headers['Host'] .. '\\r\\n', 'Cookie: session=' .. n * 7919 .. '\\r\\n'
  return 'GET /hello/' .. n .. '?q=' .. n * 7 .. ' HTTP/1.1\\r\\n' .. %s .. '\\r\\n'
end"""
HOST_FIRST, HOST_LATER = VARY % "host .. cookie", VARY % "cookie .. host"  # clients begin with Host: RFC 9110, 7.2
CLOSE = ("Connection: close",)

SCENARIOS = {
    "h1": Scenario(about="HTTP/1.1 keep-alive, 100-byte body", bar=1.5),
    "h1-vary": Scenario(about="as h1, path and cookie differ in every request", script=HOST_FIRST, bar=2.0),
    "h1-vary-late": Scenario(about="as h1-vary, Host behind another field", script=HOST_LATER, bar=2.0),
    "https": Scenario(about="HTTPS keep-alive, 100-byte body", tls=True, bar=1.5),
    "https-1000": Scenario(about="HTTPS keep-alive, 1000 connections", tls=True, connections=1000),
    "h2": Scenario(
        about="HTTP/2, 16 connections of 32 streams", tool=Tool.H2LOAD, tls=True, connections=16, streams=32
    ),
    "h2-vary": Scenario(
        about="as h2 with 3000 different paths",
        tool=Tool.H2LOAD, tls=True, path="/hello", connections=16, streams=32, addresses=3000,
    ),
    "down": Scenario(about="10 MB downloads", unit=Unit.MEGABYTE, path="/big", connections=8),
    "down-tls": Scenario(about="10 MB downloads over TLS", tls=True, unit=Unit.MEGABYTE, path="/big", connections=8),
    "up": Scenario(about="10 MB uploads", unit=Unit.MEGABYTE, path="/up", connections=8, script=UPLOAD),
    "up-tls": Scenario(
        about="10 MB uploads over TLS", tls=True, unit=Unit.MEGABYTE, path="/up", connections=8, script=UPLOAD
    ),
    "hit1k": Scenario(about="cache hits, 1 KB", path="/c/1k"),
    "hit100k": Scenario(about="cache hits, 100 KB", path="/c/100k"),
    "hit1k-tls": Scenario(about="cache hits, 1 KB over TLS", tls=True, path="/c/1k"),
    "hit100k-tls": Scenario(about="cache hits, 100 KB over TLS", tls=True, path="/c/100k"),
    "close": Scenario(about="a new connection per request", path="/hello", connections=32, headers=CLOSE),
    "handshake": Scenario(
        about="full TLS handshake with one request", tls=True, path="/hello", connections=32, headers=CLOSE
    ),
    "resume": Scenario(about="resumed TLS handshakes, no request", tool=Tool.S_TIME, tls=True, unit=Unit.HANDSHAKE),
    "idle": Scenario(
        about="memory per idle TLS keep-alive connection",
        tool=Tool.IDLE, tls=True, unit=Unit.CONNECTION, connections=5000,
    ),
}  # fmt: skip
"""Name → load, in the order of the table that `--list` prints."""
