"""Instances of apps with their pools of connections: what is claimed there, what is idle, what was withdrawn."""

from typing import Protocol

from .context import Context
from .counters import Count
from .limits import FIRST_BYTE_SECONDS, UPSTREAM_FRESH_SECONDS, UPSTREAM_IDLE_CONNECTIONS
from .upstream import Link

__all__ = ["Instance", "Visitor"]


class Visitor(Protocol):
    """A tunnel, which outlives the requests of its instance."""

    def bow_out(self) -> None:
        """Say goodbye and end."""


class Instance:
    """One address of an app with its idle connections (last in, first out) and what is in flight there.

    withdrawn: the newest snapshot does not name it, so it gets no new request; rest_until: it refused a connection.
    """

    __slots__ = (
        "context",
        "count",
        "first_byte",
        "host",
        "id",
        "idle",
        "in_flight",
        "port",
        "rest_until",
        "tunnels",
        "version",
        "withdrawn",
    )

    def __init__(self, context: Context, ident: str, host: str, port: int, count: Count) -> None:
        self.context = context
        self.id, self.host, self.port, self.count = ident, host, port, count
        self.version = count.version
        self.idle: list[Link] = []
        self.tunnels: set[Visitor] = set()
        self.in_flight = 0
        self.withdrawn = False
        self.rest_until = 0.0
        self.first_byte = FIRST_BYTE_SECONDS

    def claim(self, *, repeatable: bool, fresh: bool = False) -> Link:
        """Count one more in flight and give a connection for it.

        Raises OSError when there is no descriptor left. repeatable: the request may be sent twice, so a connection that
        the upstream might just be closing will do; fresh: only a new one will.
        """
        idle = self.idle
        if idle and not fresh:
            link = idle[-1]
            if repeatable or link.idle_since + UPSTREAM_FRESH_SECONDS > self.context.loop.now:
                self.in_flight += 1
                return idle.pop()
        link = Link(self.context, self)
        self.in_flight += 1
        return link

    def release(self) -> None:
        """Count one less in flight."""
        self.in_flight -= 1
        if not self.in_flight:
            self.context.reports.emptied(self.id, urgent=self.withdrawn)

    def keep(self, link: "Link") -> bool:
        """Take back a connection that can be used again, unless nobody will."""
        if self.withdrawn or len(self.idle) >= UPSTREAM_IDLE_CONNECTIONS:
            return False
        self.idle.append(link)
        return True

    def withdraw(self) -> None:
        """Get no new request, and close what is idle."""
        self.withdrawn = True
        for link in list(self.idle):
            link.close()

    def forget(self, link: Link) -> None:
        """Take a connection that is being closed out of the pool."""
        if link in self.idle:
            self.idle.remove(link)

    def dismiss(self) -> None:
        """Say goodbye to all tunnels, if it is still withdrawn."""
        for tunnel in list(self.tunnels) if self.withdrawn else ():
            tunnel.bow_out()
