"""What control tells the data plane, and what the data plane tells control: values only, msgpack on the wire.

Down goes a whole Snapshot (as a memfd) or Drain; up come facts. (epoch, generation) orders snapshots: epoch counts the
starts of control, generation the snapshots of one start.
"""

import msgspec

__all__ = [
    "AppTraffic",
    "Applied",
    "Certificate",
    "Down",
    "Drain",
    "Fact",
    "Hold",
    "InFlight",
    "InstanceAddress",
    "Limits",
    "Report",
    "Reported",
    "Served",
    "ServedCount",
    "Snapshot",
    "UpstreamFailed",
    "WakeRequested",
    "decode_down",
    "decode_fact",
    "decode_snapshot",
    "encode",
]

LATENCY_SLOTS = 24  # slot n counts requests that took less than 2**n ms


class InstanceAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One instance that may get requests: its id, where it listens, and the version it runs."""

    id: str
    host: str = "127.0.0.1"
    port: int
    version: str


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Requests may wait for an instance, within these bounds (already divided among the workers)."""

    waiting: int
    bytes: int
    seconds: float


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one app's requests may cost; 0 means the data plane's own default."""

    body_bytes: int = 0
    first_byte_seconds: float = 0.0


class AppTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment as the data plane sees it.

    asleep: no instance on purpose, the first request wakes it; error: why no instance can be had now (answered 502).
    """

    id: str
    version: str
    routes: tuple[str, ...]
    https_only: bool = True
    asleep: bool = False
    hold: Hold | None = None
    error: str = ""
    instances: tuple[InstanceAddress, ...] = ()
    limits: Limits = Limits()


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate with its whole chain and key (PEM) and the host names it is for (`*.` allowed)."""

    names: tuple[str, ...]
    chain: str
    key: str

    def __repr__(self) -> str:
        return f"Certificate(names={self.names!r}, key=[secret])"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a worker knows; a new one replaces the old one whole.

    https_port: where plain requests are redirected to; challenges: token → key authorization of HTTP-01.
    """

    epoch: int
    generation: int
    apps: tuple[AppTraffic, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    default_certificate: Certificate | None = None
    challenges: dict[str, str] = {}
    https_port: int = 443
    healthy: bool = True
    started_at: float = 0.0


class Drain(msgspec.Struct, frozen=True, kw_only=True, tag="drain"):
    """Finish and exit: no new connections, and none older than `seconds` from now."""

    seconds: float = 30.0


class Report(msgspec.Struct, frozen=True, kw_only=True, tag="report"):
    """Send all counters that changed now, then Reported with the same serial: somebody asks for exact numbers."""

    serial: int


class NewSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag="snapshot"):
    """The packet that carries a Snapshot's memfd beside it."""

    epoch: int
    generation: int


class Applied(msgspec.Struct, frozen=True, kw_only=True, tag="applied"):
    """This snapshot is in force: no new request is given to an instance that it does not name."""

    epoch: int
    generation: int


class InFlight(msgspec.Struct, frozen=True, kw_only=True, tag="in_flight"):
    """Requests and tunnels that this worker has open at each instance (only those above 0, or just fallen to 0)."""

    instances: dict[str, int]


class ServedCount(msgspec.Struct, frozen=True, kw_only=True):
    """Counters of one app and version since the worker started.

    failed: answered 502, 503 or 504 by the proxy, or cut before the end; app_errors: the app's own 5xx.
    longest_wait: milliseconds until the first byte of the slowest response; recent_wait: the same since the last report
    of this count; latency: see LATENCY_SLOTS.
    """

    app: str
    version: str
    started: int = 0
    finished: int = 0
    failed: int = 0
    app_errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    longest_wait: int = 0
    recent_wait: int = 0
    latency: tuple[int, ...] = ()


class Served(msgspec.Struct, frozen=True, kw_only=True, tag="served"):
    """All counters of a worker that changed since the last packet; cumulative, so that a lost packet costs nothing."""

    counts: tuple[ServedCount, ...]
    connections: int = 0


class Reported(msgspec.Struct, frozen=True, kw_only=True, tag="reported"):
    """All that was counted before the Report of this serial came is on its way, before this packet."""

    serial: int


class WakeRequested(msgspec.Struct, frozen=True, kw_only=True, tag="wake"):
    """A request waits for a sleeping app."""

    app: str


class UpstreamFailed(msgspec.Struct, frozen=True, kw_only=True, tag="upstream_failed"):
    """An instance refused a connection or broke one before a response."""

    instance: str
    reason: str


Down = NewSnapshot | Drain | Report
Fact = Applied | InFlight | Served | Reported | WakeRequested | UpstreamFailed

_down: msgspec.msgpack.Decoder[Down] = msgspec.msgpack.Decoder(Down)
_fact: msgspec.msgpack.Decoder[Fact] = msgspec.msgpack.Decoder(Fact)
_snapshot = msgspec.msgpack.Decoder(Snapshot)
_encoder = msgspec.msgpack.Encoder()


def encode(value: Snapshot | Down | Fact) -> bytes:
    """Write one value as msgpack."""
    return _encoder.encode(value)


def decode_down(data: bytes) -> Down:
    """Read a packet from control; raises msgspec.MsgspecError."""
    return _down.decode(data)


def decode_fact(data: bytes) -> Fact:
    """Read a packet from a worker; raises msgspec.MsgspecError."""
    return _fact.decode(data)


def decode_snapshot(data: bytes) -> Snapshot:
    """Read a memfd's bytes; raises msgspec.MsgspecError."""
    return _snapshot.decode(data)
