"""Who may change a deployment now: leases on the server's monotonic clock, fenced by a number that only grows."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from tako_modules.base import files
from tako_modules.base.clock import Clock, utc_text
from tako_modules.mgmt.refusal import LeaseRefusal
from tako_modules.protocol.messages import Owner
from tako_modules.protocol.replies import LeaseData, LeaseHeld

__all__ = ["LEASE_SECONDS", "Lease", "Leases"]

LEASE_SECONDS = 30.0  # without a renewal; a client renews every 5 s
LOOK_SECONDS = 1.0  # between looks of what must end with its lease


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One lease that was granted; since: wall time; expires: monotonic; pinned: a rollout keeps it alive."""

    app: str
    fence: int
    owner: Owner
    since: float
    expires: float
    pinned: bool = False


class Leases:
    """All leases; `next_fence` gives numbers that survive restarts, `folder` says where owner.json is shown."""

    def __init__(self, clock: Clock, next_fence: Callable[[str], int], folder: Callable[[str], Path]) -> None:
        self._clock = clock
        self._next_fence = next_fence
        self._folder = folder
        self._leases: dict[str, Lease] = {}

    def take(self, app: str, owner: Owner) -> LeaseData:
        """Grant a lease; raises LeaseRefusal while another one is alive."""
        now = self._clock.monotonic()
        found = self._alive(app)
        if found is not None:
            raise self._held(found, now)
        lease = Lease(
            app=app,
            fence=self._next_fence(app),
            owner=owner,
            since=self._clock.now(),
            expires=now + LEASE_SECONDS,
        )
        self._leases[app] = lease
        self._show(lease)
        return LeaseData(fence=lease.fence, expires_in=LEASE_SECONDS)

    def renew(self, app: str, fence: int | None) -> LeaseData:
        """Prolong a lease; raises LeaseRefusal (lease_lost) when it is not the newest any more."""
        lease = self.check(app, fence)
        self._leases[app] = msgspec.structs.replace(lease, expires=self._clock.monotonic() + LEASE_SECONDS)
        return LeaseData(fence=lease.fence, expires_in=LEASE_SECONDS)

    def give(self, app: str, fence: int | None) -> LeaseData:
        """Give a lease back; a rollout that still runs keeps it until its end."""
        lease = self.check(app, fence)
        if lease.pinned:
            self._leases[app] = msgspec.structs.replace(lease, expires=0.0)
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

    async def lost(self, app: str, fence: int) -> None:
        """Wait until a fence does not name the lease any more: its holder went silent and somebody may take over."""
        while self.holds(app, fence):
            await self._clock.sleep(LOOK_SECONDS)

    def pin(self, app: str, fence: int) -> None:
        """Keep a lease alive until `unpin`, whatever the client does."""
        self._leases[app] = msgspec.structs.replace(self.check(app, fence), pinned=True)

    def unpin(self, app: str) -> None:
        """Let a lease expire by itself again; at once when its holder has given it back or is gone."""
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

    def _alive(self, app: str) -> Lease | None:
        lease = self._leases.get(app)
        if lease is None or lease.pinned or self._clock.monotonic() < lease.expires:
            return lease
        return None

    def _drop(self, app: str) -> None:
        self._leases.pop(app, None)
        (self._folder(app) / "owner.json").unlink(missing_ok=True)

    def _words(self, lease: Lease, now: float) -> LeaseHeld:
        return LeaseHeld(owner=lease.owner, since=lease.since, expires_in=max(0.0, lease.expires - now))

    def _held(self, lease: Lease, now: float) -> LeaseRefusal:
        held, owner = self._words(lease, now), lease.owner
        until = "its rollout ends" if lease.pinned else f"in {held.expires_in:.0f} s unless it is renewed"
        return LeaseRefusal(
            f"{lease.app} is locked by {owner.user}@{owner.host} (pid {owner.pid}) since {utc_text(lease.since)}; "
            f"the lease ends {'when ' if lease.pinned else ''}{until}",
            held=held,
            hint="wait for it with `tako deploy --wait 600`, or look with `tako status`",
        )

    def _show(self, lease: Lease) -> None:
        folder = self._folder(lease.app)
        if not folder.parent.is_dir():
            return  # a first deploy: the folder comes with its upload
        folder.mkdir(mode=0o755, exist_ok=True)
        words = {
            "owner": lease.owner.user,
            "host": lease.owner.host,
            "pid": lease.owner.pid,
            "start": utc_text(lease.since),
            "expiry": utc_text(lease.since + LEASE_SECONDS),
            "fence": lease.fence,
        }
        files.write_atomic(folder / "owner.json", msgspec.json.encode(words) + b"\n", 0o644)
