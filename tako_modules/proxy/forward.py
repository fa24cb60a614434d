"""The life of one request: an instance is chosen and claimed, may refuse or die, answers, and is let go again.

Rules for a second try, which only exists while no byte of an answer has been seen:
- nothing of the request was sent (the connection was refused): elsewhere, whatever the method is; if there is nowhere
  else and the app lets requests wait, it waits;
- a connection that had been used before died: once more on a fresh one, if the method is idempotent and has no body;
- anything else is answered 502 or 504. An instance that is not in the newest snapshot is never chosen.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from tako_modules.http import h1
from tako_modules.net.streams import Data

from .apps import App
from .context import Context
from .counters import Count
from .errors import REFUSALS, Failure, Refusal, Refused
from .instances import Instance
from .limits import TRIES, UPSTREAM_REST_SECONDS
from .upstream import Link

__all__ = ["CLIENT_GONE", "IDEMPOTENT", "Exchange"]

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})  # RFC 9110 9.2.2
CLIENT_GONE = 499  # in the log: the client left before the answer was whole (nginx's number)


class Exchange(ABC):
    """The downstream half of one exchange after the other; a client connection fills in how it talks.

    send: to the client, true when it is slow; identity: the log's members about this request, made once per head;
    received: bytes of the request's body; waited: seconds until the answer began, negative while it has not;
    weight: bytes in memory while it waits.
    """

    __slots__ = (
        "_count",
        "_instance",
        "_pieces",
        "_tries",
        "app",
        "block",
        "closing",
        "context",
        "identity",
        "link",
        "method",
        "minor",
        "received",
        "request_id",
        "send",
        "started",
        "status",
        "target",
        "waited",
        "weight",
    )

    _count: Count | None
    _instance: Instance | None
    _pieces: list[bytes] | None
    _tries: int
    app: App | None
    block: h1.RequestBlock
    closing: bool
    context: Context
    identity: bytes
    link: Link | None
    method: bytes
    minor: bytes
    received: int
    request_id: bytes
    send: Callable[[Data], bool]
    started: float
    status: int
    target: bytes
    waited: float
    weight: int

    # -- what a kind of client connection fills in

    @property
    @abstractmethod
    def uploading(self) -> bool:
        """Whether the request's body is still to come."""

    @property
    @abstractmethod
    def burden(self) -> int:
        """Bytes of the request that are kept in memory."""

    @abstractmethod
    def flow(self) -> None:
        """An instance takes the request's body from now on."""

    @abstractmethod
    def hold(self, seconds: float) -> None:
        """There is nobody to answer yet: take nothing more, and ask `overdue` after that time."""

    @abstractmethod
    def answer(self, status: int, *, words: bytes = b"") -> None:
        """Send an answer of the proxy's own."""

    @abstractmethod
    def done(self) -> None:
        """The exchange is over and the answer is whole."""

    @abstractmethod
    def drop(self) -> None:
        """The answer cannot be completed: make sure that the client does not take it for whole."""

    @abstractmethod
    def stalled(self) -> None:
        """The client is slow: it has to take something in time."""

    @abstractmethod
    def on_room(self) -> None:
        """The instance takes more of the request's body."""

    @abstractmethod
    def upgraded(self, head: bytes, rest: bytes) -> None:
        """Both connections are a tunnel from now on."""

    # -- finding an instance

    def begin(self, app: App) -> None:
        """Forward the request that has been read."""
        self.app = app
        self._tries = 0
        self._count = self._pieces = None
        instance = None if app.queue.line and self._may_wait(app) else app.choose(self.context.loop.now)
        if instance is None:
            self._wait(app)
        else:
            self._ask(instance, None)

    def _may_wait(self, app: App) -> bool:
        """Tell whether it must stand in line: not when the line is full and there are instances."""
        return not app.instances or (app.hold is not None and len(app.queue) < app.hold.waiting)

    def _ask(self, instance: Instance, pieces: list[bytes] | None, *, fresh: bool = False) -> None:
        block = self.block
        if pieces is None:
            head = b"%b %b HTTP/1.1\r\n%b%b%b" % (
                self.method,
                self.target,
                block.forward_a,
                self.request_id,
                block.forward_b,
            )
            pieces = [head]
        if self._count is None:
            self._count = instance.count
            self._count.start()
        self._tries += 1
        self._pieces = None
        try:
            self._instance = instance
            self.link = link = instance.claim(repeatable=self.method in IDEMPOTENT, fresh=fresh)
        except OSError:  # no descriptor left: as busy as can be
            self.context.shed()
            self.refuse(Refused.NO_INSTANCE)
            return
        link.ask(self, pieces)
        if self.uploading:
            self.flow()

    def _wait(self, app: App) -> None:
        """Stand in line for an instance, where that is of use."""
        if app.error and not app.instances:
            self.refuse(Refused.APP_FAILED, app.error.encode())
            return
        if app.hold is None:
            self.refuse(Refused.NO_INSTANCE)
            return
        self.weight = self.burden + sum(map(len, self._pieces or ()))
        if not app.queue.admit(self, app.hold.waiting, app.hold.bytes):
            self.refuse(Refused.QUEUE_FULL)
        else:
            self.hold(app.hold.seconds)
            if app.instances:
                app.queue.pump()
            elif len(app.queue) == 1:  # from now on once a second
                self.context.reports.wake(app.id)

    # -- as one that waits (hold.Held)

    def release(self) -> bool:
        """Go on with an instance, if there is one."""
        assert self.app is not None
        instance = self.app.choose(self.context.loop.now)
        if instance is None:
            return False
        self.resumed()
        self._ask(instance, self._pieces)
        return True

    @abstractmethod
    def resumed(self) -> None:
        """The waiting is over."""

    def give_up(self) -> None:
        """Answer without an instance: there will be none."""
        assert self.app is not None
        self.resumed()
        if self.app.error:
            self.refuse(Refused.APP_FAILED, self.app.error.encode())
        else:
            self.refuse(Refused.NO_INSTANCE)

    def overdue(self) -> None:
        """It has waited too long."""
        assert self.app is not None
        self.app.queue.remove(self)
        self.resumed()
        self.refuse(Refused.WAITED)

    # -- as one who asks (upstream.Asker)

    @property
    def wants(self) -> bytes | None:
        """The protocol that the client asks to change to."""
        return self.block.upgrade

    def on_answer(self, status: int) -> None:
        """Take note of the final head; one that comes before the request is whole ends the connection after it."""
        self.status = status
        self.waited = self.context.loop.clock() - self.started
        if self.uploading:
            self.closing = True

    def complete(self, sent: int) -> None:
        """Take note that the answer went out whole."""
        self.link = None
        if self.status >= 500 and self._count is not None:
            self._count.app_errors += 1
        self.record(self.status, sent)
        self.done()

    def failed(self, failure: Failure) -> None:
        """Try again where the rules allow it, else answer for the app."""
        app, instance, link, now = self.app, self._instance, self.link, self.context.loop.now
        assert app is not None
        assert instance is not None
        assert link is not None
        self.link = None
        stale = link.reused and failure.refused is Refused.DIED
        if not stale:
            self.context.reports.upstream_failed(instance.id, failure.reason)
        if failure.unsent is not None:
            instance.rest_until = now + UPSTREAM_REST_SECONDS
            self._elsewhere(app, instance, failure)
            return
        if stale and self._tries < TRIES and self._repeatable():
            another = app.choose(now, instance)
            if another is not None:
                self._ask(another, None, fresh=True)
                return
        self.refuse(failure.refused)

    def _repeatable(self) -> bool:
        return self.method in IDEMPOTENT and not self.block.length and not self.block.chunked

    def _elsewhere(self, app: App, instance: Instance, failure: Failure) -> None:
        another = app.choose(self.context.loop.now, instance) if self._tries < TRIES else None
        if another is not None:
            self._ask(another, failure.unsent)
        elif app.hold is not None:
            self._pieces = failure.unsent
            self._tries = 0
            self._wait(app)
        else:
            self.refuse(failure.refused)

    def cut_short(self, reason: str, sent: int) -> None:
        """Take note that the answer ended in the middle."""
        assert self.link is not None
        self.context.reports.upstream_failed(self.link.instance.id, reason)
        self.link = None
        if self._count is not None:
            self._count.failed += 1
        self.record(self.status, sent)
        self.drop()

    def abandon(self) -> None:
        """The client is gone: nobody wants the answer."""
        link, self.link = self.link, None
        sent = 0
        if link is not None:
            sent = link.sent
            link.abandon()
        elif self.app is not None:
            self.app.queue.remove(self)
        self.record(CLIENT_GONE, sent)

    # -- ending

    def refuse(self, refused: Refused, words: bytes = b"") -> None:
        """Answer for the app, and count that."""
        refusal: Refusal = REFUSALS[refused]
        if self.app is not None and self._count is None:
            self._count = self.app.count
            self._count.start()
        if refusal.failed and self._count is not None:
            self._count.failed += 1
        self.waited = self.context.loop.clock() - self.started
        self.answer(refusal.status, words=words or refusal.words)

    def record(self, status: int, sent: int) -> None:
        """Count and log the end of the exchange."""
        seconds = self.context.loop.clock() - self.started
        count = self._count
        if count is not None:
            count.finish(seconds, self.waited if self.waited >= 0 else seconds, self.received, sent)
        self.context.access.add(
            b'"app":"%b",%b,"m":"%b","u":"%b","s":%d,"b":%d,"us":%d,"id":"%b"'
            % (
                b"" if self.app is None else self.app.log_name,
                self.identity,
                self.method,
                self.target,
                status,
                sent,
                int(seconds * 1e6),
                self.request_id,
            )
        )
