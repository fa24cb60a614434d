"""Requests served, summed over all workers, also those that are gone."""

from collections.abc import Collection, Iterable, Mapping
from itertools import zip_longest

import msgspec

from tako_modules.model.deployment import Counters
from tako_modules.model.snapshot import LATENCY_SLOTS, Served, ServedCount

__all__ = ["Key", "Tally"]

Key = tuple[str, str, str]  # worker ("" for all that are gone), app, version
_GONE = ""
_FLOOR = "deleted:"  # before a worker in the key of a stored row: what it had counted of deployments since deleted


class _Row(msgspec.Struct, frozen=True):
    """What is counted under one key."""

    counters: Counters = Counters()
    latency: tuple[int, ...] = ()

    def plus(self, other: "_Row") -> "_Row":
        latency = tuple(a + b for a, b in zip_longest(self.latency, other.latency, fillvalue=0))
        return _Row(self.counters.plus(other.counters), latency)

    def since(self, floor: "_Row", longest_wait: int) -> "_Row":
        counters = msgspec.structs.replace(self.counters.since(floor.counters), longest_wait=longest_wait)
        return _Row(counters, tuple(a - b for a, b in zip_longest(self.latency, floor.latency, fillvalue=0)))


class Tally:
    """Counts per worker, app and version; a worker's are cumulative, so a lost report costs nothing.

    A worker goes on counting where it was when a deployment is deleted: what it had counted by then is the floor of its
    next report, and is forgotten with the worker.
    """

    def __init__(self) -> None:
        self._rows: dict[Key, _Row] = {}
        self._floors: dict[Key, _Row] = {}
        self._deleted: set[str] = set()  # what workers still tell of these is of before
        self._waits: dict[str, int] = {}
        self._restored = False

    def update(self, worker: str, served: Served) -> None:
        """Take a worker's report: what it names replaces what that worker said of it before."""
        for count in served.counts:
            key = (worker, count.app, count.version)
            if count.app in self._deleted:
                self._floors[key] = _row(count)
                continue
            self._rows[key] = self._above(key, count)
            if count.recent_wait > self._waits.get(count.app, count.recent_wait):
                self._waits[count.app] = count.recent_wait

    def _above(self, key: Key, count: ServedCount) -> _Row:
        """Take away what was counted before a deletion; the longest wait since then is the longest recent one."""
        row, floor = _row(count), self._floors.get(key)
        if floor is None:
            return row
        if count.longest_wait > floor.counters.longest_wait:
            return row.since(floor, count.longest_wait)
        return row.since(floor, max(count.recent_wait, self._rows.get(key, _Row()).counters.longest_wait))

    def retire(self, worker: str) -> None:
        """A worker has ended: its last counts stay in the sums.

        Until a former control's counts are here, they stay under its name: a row of it that is stored is older.
        """
        if not self._restored or worker == _GONE:
            return
        for key in [key for key in self._rows if key[0] == worker]:
            self._fold(key, (_GONE, key[1], key[2]))
        for key in [key for key in self._floors if key[0] == worker]:
            del self._floors[key]
        self._deleted &= {key[1] for key in self._floors}

    def retire_others(self, living: Collection[str]) -> None:
        """Retire every worker that is not among the living: after a restart of control, once all are known."""
        for worker in {key[0] for key in (*self._rows, *self._floors)} - {*living, _GONE}:
            self.retire(worker)

    def of(self, app: str) -> Counters:
        """Tell the requests of a deployment, over all versions."""
        return _sum(row.counters for key, row in self._rows.items() if key[1] == app)

    def by_version(self, app: str) -> dict[str, Counters]:
        """Tell the requests of a deployment per version; "" for those that were folded."""
        found: dict[str, Counters] = {}
        for (_, owner, version), row in self._rows.items():
            if owner == app:
                found[version] = found.get(version, Counters()).plus(row.counters)
        return found

    def latency(self, app: str) -> tuple[int, ...]:
        """Tell how many requests of a deployment took less than 2**n ms, per n, since control started."""
        rows = [row.latency for key, row in self._rows.items() if key[1] == app]
        return tuple(sum(row[n] for row in rows if n < len(row)) for n in range(LATENCY_SLOTS))

    def watch_waits(self, app: str) -> None:
        """Begin to look for the longest wait of a deployment, from the reports that come from now on.

        One that was deleted is counted again from here on.
        """
        self._deleted.discard(app)
        self._waits[app] = 0

    def watched_wait(self, app: str) -> int:
        """Tell the longest wait since the look at it began, in milliseconds, and end the look; 0 when there is none."""
        return self._waits.pop(app, 0)

    def fold(self, app: str, keep: Collection[str]) -> None:
        """Join the counts of versions outside `keep`, so that a hundred deploys are not a hundred rows."""
        for key in [key for key in self._rows if key[0] == _GONE and key[1] == app]:
            if key[2] and key[2] not in keep:
                self._fold(key, (_GONE, app, ""))

    def drop(self, app: str) -> None:
        """Forget a deployment that was deleted; what workers have not reported of it yet is forgotten when it comes."""
        if any(key[1] == app for key in (*self._rows, *self._floors)):
            self._deleted.add(app)
        for key in [key for key in self._rows if key[1] == app]:
            row = self._rows.pop(key)
            if key[0] != _GONE:
                self._floors[key] = self._floors.get(key, _Row()).plus(row)
        self._waits.pop(app, None)

    def export(self) -> dict[Key, Counters]:
        """Give all counts, for the store; also what is to be taken away from the reports of those who live."""
        counts = {key: row.counters for key, row in self._rows.items()}
        floors = {(_FLOOR + worker, app, version): row.counters for (worker, app, version), row in self._floors.items()}
        return {**counts, **floors}

    def restore(self, counts: Mapping[Key, Counters]) -> None:
        """Take the counts that a former control has stored; what a worker has reported since is newer."""
        stored: dict[Key, _Row] = {}
        for (worker, app, version), count in counts.items():
            if worker.startswith(_FLOOR):
                self._floors[worker.removeprefix(_FLOOR), app, version] = _Row(count)
            else:
                stored[worker, app, version] = _Row(count)
        for key in self._floors.keys() & self._rows.keys():
            longest = stored.get(key, _Row()).counters.longest_wait
            self._rows[key] = self._rows[key].since(self._floors[key], longest)
        self._rows = {**stored, **self._rows}
        self._restored = True

    def _fold(self, key: Key, into: Key) -> None:
        self._rows[into] = self._rows.pop(key).plus(self._rows.get(into, _Row()))


def _row(count: ServedCount) -> _Row:
    counters = Counters(
        started=count.started,
        finished=count.finished,
        failed=count.failed,
        app_errors=count.app_errors,
        bytes_in=count.bytes_in,
        bytes_out=count.bytes_out,
        longest_wait=count.longest_wait,
    )
    return _Row(counters, count.latency[:LATENCY_SLOTS])


def _sum(counts: Iterable[Counters]) -> Counters:
    total = Counters()
    for count in counts:
        total = total.plus(count)
    return total
