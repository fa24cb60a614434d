"""Putting away what nobody needs: releases by the retention rules, what an interrupted deploy left, old uploads."""

from pathlib import Path

import anyio

from tako_modules.base import files, log
from tako_modules.base.clock import Clock
from tako_modules.base.errors import TakoError
from tako_modules.model.release import Release
from tako_modules.plan import retention

from .host import Host
from .leases import Leases
from .ledger import Ledger
from .registry import Entry, Registry

__all__ = ["Tidier"]

SWEEP_SECONDS = 5.0  # between looks for leases that ran out: what they left is gone soon after
UPLOAD_SECONDS = 24 * 3600.0  # a partial upload may be resumed this long
LOW_DISK = 1 << 30  # bytes: below this, releases younger than 30 days may go too


class Tidier:
    """Deletes releases and uploads; never one that runs or that a lease may be preparing."""

    def __init__(self, registry: Registry, ledger: Ledger, leases: Leases, host: Host, clock: Clock) -> None:
        self._registry = registry
        self._ledger = ledger
        self._leases = leases
        self._host = host
        self._clock = clock
        self._locks: dict[str, anyio.Lock] = {}

    async def tidy(self, app: str, *, give_up: str = "") -> None:
        """Put one deployment in order; give_up: a version whose preparation has just failed.

        What cannot be done now is no error of the one who deploys: the next sweep tries again.
        """
        async with self._locks.setdefault(app, anyio.Lock()):
            try:
                with files.disk_errors(f"put the releases of {app} away"):
                    await self._tidy(app, give_up)
            except TakoError as problem:
                log.event("tidy.failed", app=app, message=problem.message)

    async def _tidy(self, app: str, give_up: str) -> None:
        entry = self._registry.get(app)
        if entry is None:
            return
        while going := self._going(entry, give_up):  # asked anew each time: meanwhile somebody may have come for one
            self._ledger.remove_release(entry, going[0].version)
            aside = self._host.set_release_aside(app, going[0].version)
            await anyio.to_thread.run_sync(self._host.remove_tree, aside)
        if self._leases.held(app) is None:
            await self._forget_empty(entry)

    def _going(self, entry: Entry, give_up: str) -> list[Release]:
        leased = self._leases.held(entry.app) is not None
        low = self._host.free_bytes() < LOW_DISK
        releases, used = list(entry.releases.values()), entry.used_versions
        going = retention.expired(releases, used=used, leased=leased, now=self._clock.now(), disk_low=low)
        failed = [one for one in releases if one.version == give_up and not one.served and one.version not in used]
        return [*going, *failed]

    async def _forget_empty(self, entry: Entry) -> None:
        """A first deploy that failed leaves no deployment behind, but for its data and logs."""
        deployment = entry.deployment
        if deployment.shape is not None or deployment.rollout is not None or entry.releases or entry.instances:
            return
        self._registry.remove(entry.app)
        self._ledger.remove_app(entry.app, files_left=True)
        aside = self._host.set_releases_aside(entry.app)
        await anyio.to_thread.run_sync(self._host.remove_tree, aside)

    async def sweep(self) -> None:
        """Tidy all deployments again and again, until cancelled."""
        while True:
            await self._clock.sleep(SWEEP_SECONDS)
            for entry in list(self._registry):
                if any(not one.served for one in entry.releases.values()) or not entry.releases:
                    await self.tidy(entry.app)
            await anyio.to_thread.run_sync(_remove_old, self._host.paths.uploads, self._clock.now() - UPLOAD_SECONDS)


def _remove_old(folder: Path, before: float) -> None:
    for path in folder.glob("*/*.part"):
        try:
            if path.lstat().st_mtime < before:
                path.unlink()
        except OSError as problem:
            log.error("upload.collect", problem, path=str(path))
