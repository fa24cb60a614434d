"""Requests served, summed over all workers, also those that are gone."""

from collections.abc import Collection, Iterable, Mapping

from tako_modules.model.deployment import Counters
from tako_modules.model.snapshot import LATENCY_SLOTS, Served, ServedCount

__all__ = ["Key", "Tally"]

Key = tuple[str, str, str]  # worker ("" for all that are gone), app, version
_GONE = ""


class Tally:
    """Counts per worker, app and version; a worker's are cumulative, so a lost report costs nothing."""

    def __init__(self) -> None:
        self._counts: dict[Key, Counters] = {}
        self._latency: dict[Key, tuple[int, ...]] = {}
        self._waits: dict[str, int] = {}

    def update(self, worker: str, served: Served) -> None:
        """Take a worker's report: what it names replaces what that worker said of it before."""
        for count in served.counts:
            key = (worker, count.app, count.version)
            self._counts[key] = _counters(count)
            self._latency[key] = count.latency[:LATENCY_SLOTS]
            if count.recent_wait > self._waits.get(count.app, count.recent_wait):
                self._waits[count.app] = count.recent_wait

    def retire(self, worker: str) -> None:
        """A worker has ended: its last counts stay in the sums."""
        for key in [key for key in self._counts if key[0] == worker and worker != _GONE]:
            self._fold(key, (_GONE, key[1], key[2]))

    def retire_others(self, living: Collection[str]) -> None:
        """Retire every worker that is not among the living: after a restart of control, once all are known."""
        for worker in {key[0] for key in self._counts} - {*living, _GONE}:
            self.retire(worker)

    def of(self, app: str) -> Counters:
        """Tell the requests of a deployment, over all versions."""
        return _sum(count for key, count in self._counts.items() if key[1] == app)

    def by_version(self, app: str) -> dict[str, Counters]:
        """Tell the requests of a deployment per version; "" for those that were folded."""
        found: dict[str, Counters] = {}
        for (_, owner, version), count in self._counts.items():
            if owner == app:
                found[version] = found.get(version, Counters()).plus(count)
        return found

    def latency(self, app: str) -> tuple[int, ...]:
        """Tell how many requests of a deployment took less than 2**n ms, per n, since control started."""
        rows = [slots for key, slots in self._latency.items() if key[1] == app]
        return tuple(sum(row[n] for row in rows if n < len(row)) for n in range(LATENCY_SLOTS))

    def watch_waits(self, app: str) -> None:
        """Begin to look for the longest wait of a deployment, from the reports that come from now on."""
        self._waits[app] = 0

    def watched_wait(self, app: str) -> int:
        """Tell the longest wait since the look at it began, in milliseconds, and end the look; 0 when there is none."""
        return self._waits.pop(app, 0)

    def fold(self, app: str, keep: Collection[str]) -> None:
        """Join the counts of versions outside `keep`, so that a hundred deploys are not a hundred rows."""
        for key in [key for key in self._counts if key[0] == _GONE and key[1] == app]:
            if key[2] and key[2] not in keep:
                self._fold(key, (_GONE, app, ""))

    def drop(self, app: str) -> None:
        """Forget a deployment that was deleted."""
        for key in [key for key in self._counts if key[1] == app]:
            del self._counts[key]
            self._latency.pop(key, None)
        self._waits.pop(app, None)

    def export(self) -> dict[Key, Counters]:
        """Give all counts, for the store."""
        return dict(self._counts)

    def restore(self, counts: Mapping[Key, Counters]) -> None:
        """Take the counts that a former control has stored; what a worker has reported since is newer."""
        self._counts = {**counts, **self._counts}

    def _fold(self, key: Key, into: Key) -> None:
        count = self._counts.pop(key)
        self._counts[into] = self._counts.get(into, Counters()).plus(count)
        slots, others = self._latency.pop(key, ()), self._latency.get(into, ())
        longest = max(len(slots), len(others))
        self._latency[into] = tuple(sum(row[n] for row in (slots, others) if n < len(row)) for n in range(longest))


def _counters(count: ServedCount) -> Counters:
    return Counters(
        started=count.started,
        finished=count.finished,
        failed=count.failed,
        app_errors=count.app_errors,
        bytes_in=count.bytes_in,
        bytes_out=count.bytes_out,
        longest_wait=count.longest_wait,
    )


def _sum(counts: Iterable[Counters]) -> Counters:
    total = Counters()
    for count in counts:
        total = total.plus(count)
    return total
