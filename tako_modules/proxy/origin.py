"""Where a client's connection comes from."""

from tako_modules.http import h1

__all__ = ["Origin"]


class Origin:
    """The peer's address, the listener's port, TLS or not; local: the peer is on this machine."""

    __slots__ = ("edge", "local", "peer", "secure")

    def __init__(self, peer: str, port: int, *, secure: bool) -> None:
        self.peer = peer.encode("ascii")
        self.secure = secure
        self.local = peer == "::1" or peer.startswith("127.")
        self.edge = h1.Edge(self.peer, b"https" if secure else b"http", b"%d" % port)
