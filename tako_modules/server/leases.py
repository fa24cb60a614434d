"""Who may change a deployment now: leases on the server's monotonic clock, fenced by a number that only grows.

A lease lives LEASE_SECONDS from its last renewal, and as long as its rollout runs. Where somebody else waits for it, it
goes over sooner: a holder whose connections have ended is gone for certain, and one that has missed several renewals
most likely; if it was not, its next message is refused.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import msgspec

from tako_modules.base import files, log
from tako_modules.base.clock import Clock, utc_text
from tako_modules.mgmt.refusal import LeaseRefusal
from tako_modules.protocol.messages import Owner
from tako_modules.protocol.replies import LeaseData, LeaseHeld

__all__ = ["LEASE_SECONDS", "LEFT_SECONDS", "SILENT_SECONDS", "Lease", "Leases"]

LEASE_SECONDS = 30.0  # without a renewal, where nobody else wants it; a client renews every 5 s
SILENT_SECONDS = 20.0  # without a renewal, where somebody does: the next deploy is then done 35 s after a line was cut
LEFT_SECONDS = 10.0  # from the end of its last connection: a client that has one for each renewal may miss one of them
LOOK_SECONDS = 0.2  # between looks of what must end with its lease: the next holder waits for that
SWEEP_SECONDS = 1.0  # between looks for leases whose holder has gone


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One lease that was granted.

    since, shown: wall time, of its beginning and its last renewal; renewed, left: monotonic, of its last renewal and
    the end of its last connection; lines: set when a connection of its holder has ended; pinned: a rollout keeps it
    alive; given: it was given back while pinned; begun: a rollout has begun under it; called_off: none may begin.
    """

    app: str
    fence: int
    owner: Owner
    since: float
    shown: float
    renewed: float
    lines: tuple[anyio.Event, ...] = ()
    left: float | None = None
    pinned: bool = False
    given: bool = False
    begun: bool = False
    called_off: bool = False

    def alive(self, now: float) -> bool:
        """Tell whether its holder may go on."""
        return self.pinned or (not self.given and now < self.renewed + LEASE_SECONDS)

    @property
    def yields(self) -> float:
        """Tell from when on another one may take it over, unless it is pinned."""
        silent = self.renewed + SILENT_SECONDS
        return silent if self.left is None else min(silent, max(self.left, self.renewed) + LEFT_SECONDS)


class Leases:
    """All leases; `next_fence` gives numbers that survive restarts, `folder` says where owner.json is shown.

    rolling: tells whether a deployment is being changed, which outlives this process and with it the lease.
    """

    def __init__(
        self,
        clock: Clock,
        next_fence: Callable[[str], int],
        folder: Callable[[str], Path],
        rolling: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._next_fence = next_fence
        self._folder = folder
        self._rolling = rolling
        self._leases: dict[str, Lease] = {}

    def take(self, app: str, owner: Owner, line: anyio.Event | None = None) -> LeaseData:
        """Grant a lease; line: the holder's connection, which is set at its end.

        Raises LeaseRefusal while another one is alive.
        """
        now = self._clock.monotonic()
        self._look(now)
        found = self._alive(app)
        if found is not None and (found.pinned or now < found.yields):
            raise self._held(found, now)
        if found is None and self._rolling(app):
            raise LeaseRefusal(
                f"{app} is being changed by a rollout that was under way when the server was restarted",
                hint="wait for it with `tako deploy --wait 600`, or look with `tako status`",
            )
        wall = self._clock.now()
        lease = Lease(
            app=app,
            fence=self._next_fence(app),
            owner=owner,
            since=wall,
            shown=wall,
            renewed=now,
            lines=() if line is None else (line,),
        )
        self._leases[app] = lease
        self._show(lease)
        return LeaseData(fence=lease.fence, expires_in=LEASE_SECONDS)

    def renew(self, app: str, fence: int | None, line: anyio.Event | None = None) -> LeaseData:
        """Prolong a lease; raises LeaseRefusal (lease_lost) when it is not the newest any more."""
        lease = self.check(app, fence)
        open_lines = tuple(one for one in lease.lines if not one.is_set() and one is not line)
        renewed = msgspec.structs.replace(
            lease,
            renewed=self._clock.monotonic(),
            shown=self._clock.now(),
            lines=open_lines if line is None else (*open_lines, line),
            left=None,
        )
        self._leases[app] = renewed
        self._show(renewed)
        return LeaseData(fence=lease.fence, expires_in=LEASE_SECONDS)

    def give(self, app: str, fence: int | None) -> LeaseData:
        """Give a lease back; a rollout that still runs keeps it until its end."""
        lease = self.check(app, fence)
        if lease.pinned:
            self._leases[app] = msgspec.structs.replace(lease, given=True)
        else:
            self._drop(app)
        return LeaseData(fence=lease.fence, expires_in=0.0)

    def check(self, app: str, fence: int | None) -> Lease:
        """Give the lease that a fence names; raises LeaseRefusal (lease_lost) when it is over."""
        lease = self._alive(app)
        if lease is None or lease.fence != fence:
            raise LeaseRefusal(
                f"the lease of {app} was lost: it expired or somebody else took it over",
                code="lease_lost",
                hint="run the command again; nothing was changed",
            )
        return lease

    def holds(self, app: str, fence: int) -> bool:
        """Tell whether a fence still names the lease."""
        lease = self._alive(app)
        return lease is not None and lease.fence == fence

    def call_off(self, app: str, fence: int | None) -> bool:
        """Let no rollout begin under a lease any more; False when one has begun."""
        lease = self.check(app, fence)
        if not lease.begun:
            self._leases[app] = msgspec.structs.replace(lease, called_off=True)
        return not lease.begun

    async def lost(self, app: str, fence: int) -> None:
        """Wait until a fence does not name the lease any more: its holder went silent and somebody may take over."""
        while self.holds(app, fence):
            await self._clock.sleep(LOOK_SECONDS)

    @contextmanager
    def pinned(self, app: str, fence: int) -> Iterator[None]:
        """Keep a lease alive in the block, whatever the client does; afterwards it expires by itself again."""
        self._leases[app] = msgspec.structs.replace(self.check(app, fence), pinned=True, begun=True)
        try:
            yield
        finally:
            self._unpin(app)

    def _unpin(self, app: str) -> None:
        lease = self._leases.get(app)
        if lease is None:
            return
        self._leases[app] = msgspec.structs.replace(lease, pinned=False)
        if self._alive(app) is None:
            self._drop(app)

    def held(self, app: str) -> LeaseHeld | None:
        """Tell who holds the lease now."""
        lease = self._alive(app)
        return None if lease is None else self._words(lease, self._clock.monotonic())

    async def sweep(self) -> None:
        """Notice holders that leave, and forget leases that ran out, until cancelled."""
        while True:
            self._look(self._clock.monotonic())
            await self._clock.sleep(SWEEP_SECONDS)

    def _look(self, now: float) -> None:
        for app, lease in list(self._leases.items()):
            if not lease.alive(now):
                self._drop(app)
            elif lease.left is None and lease.lines and all(line.is_set() for line in lease.lines):
                self._leases[app] = msgspec.structs.replace(lease, left=now)

    def _alive(self, app: str) -> Lease | None:
        lease = self._leases.get(app)
        return lease if lease is not None and lease.alive(self._clock.monotonic()) else None

    def _drop(self, app: str) -> None:
        self._leases.pop(app, None)
        self.hide(app)

    def hide(self, app: str) -> None:
        """Show no holder any more."""
        try:
            (self._folder(app) / "owner.json").unlink(missing_ok=True)
        except OSError as problem:
            log.error("lease.hide", problem, app=app)

    def _words(self, lease: Lease, now: float) -> LeaseHeld:
        return LeaseHeld(owner=lease.owner, since=lease.since, expires_in=max(0.0, lease.yields - now))

    def _held(self, lease: Lease, now: float) -> LeaseRefusal:
        held, owner = self._words(lease, now), lease.owner
        until = "when its rollout ends" if lease.pinned else f"in {held.expires_in:.0f} s unless it is renewed"
        return LeaseRefusal(
            f"{lease.app} is locked by {owner.user}@{owner.host} (pid {owner.pid}) since {utc_text(lease.since)}; "
            f"the lease ends {until}",
            held=held,
            hint="wait for it with `tako deploy --wait 600`, or look with `tako status`",
        )

    def _show(self, lease: Lease) -> None:
        """Write it down for people who look; the lease itself does not depend on that."""
        folder = self._folder(lease.app)
        if not folder.parent.is_dir():
            return  # a first deploy: the folder comes with its upload
        words = {
            "owner": lease.owner.user,
            "host": lease.owner.host,
            "pid": lease.owner.pid,
            "start": utc_text(lease.since),
            "expiry": utc_text(lease.shown + LEASE_SECONDS),
            "fence": lease.fence,
        }
        try:
            folder.mkdir(mode=0o755, exist_ok=True)
            files.write_atomic(folder / "owner.json", msgspec.json.encode(words) + b"\n", 0o644)
        except OSError as problem:
            log.error("lease.show", problem, app=lease.app)
