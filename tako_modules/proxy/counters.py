"""Counters per app and version, cumulative since the worker started: plain integers of one thread."""

from collections.abc import Iterator

from tako_modules.model.snapshot import LATENCY_SLOTS, ServedCount

__all__ = ["Count", "Counters"]


class Count:
    """What one version of one app has served; `model.snapshot.ServedCount` explains the fields."""

    __slots__ = (
        "app",
        "app_errors",
        "bytes_in",
        "bytes_out",
        "changed",
        "failed",
        "finished",
        "latency",
        "longest_wait",
        "recent_wait",
        "started",
        "version",
    )

    def __init__(self, app: str, version: str) -> None:
        self.app = app
        self.version = version
        self.changed = False
        self.started = self.finished = self.failed = self.app_errors = 0
        self.bytes_in = self.bytes_out = self.longest_wait = self.recent_wait = 0
        self.latency = [0] * LATENCY_SLOTS

    def start(self) -> None:
        """Count a request that an instance, or a refusal, was found for."""
        self.started += 1
        self.changed = True

    def finish(self, seconds: float, waited: float, received: int, sent: int) -> None:
        """Count the end of a request: how long it took, until the first byte, and the bytes of both bodies."""
        self.finished += 1
        self.changed = True
        self.bytes_in += received
        self.bytes_out += sent
        slot = int(seconds * 1000).bit_length()
        self.latency[slot if slot < LATENCY_SLOTS else -1] += 1
        wait = int(waited * 1000)
        if wait > self.recent_wait:
            self.recent_wait = wait

    def fact(self) -> ServedCount:
        """Write the counters down as they are now, and begin the recent ones anew."""
        recent, self.recent_wait = self.recent_wait, 0
        self.longest_wait = max(self.longest_wait, recent)
        return ServedCount(
            app=self.app,
            version=self.version,
            started=self.started,
            finished=self.finished,
            failed=self.failed,
            app_errors=self.app_errors,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            longest_wait=self.longest_wait,
            recent_wait=recent,
            latency=tuple(self.latency),
        )


class Counters:
    """All counts of a worker; they stay for its whole life, some 500 bytes for each version that it has served."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], Count] = {}

    def of(self, app: str, version: str) -> Count:
        """Find or begin the count of an app's version."""
        count = self._counts.get((app, version))
        if count is None:
            count = self._counts[app, version] = Count(app, version)
        return count

    def repeat(self) -> None:
        """Count all as changed: whoever was told is gone."""
        for count in self._counts.values():
            count.changed = True

    def changed(self) -> Iterator[ServedCount]:
        """Give the counts that changed since the last call."""
        for count in self._counts.values():
            if count.changed:
                count.changed = False
                yield count.fact()
