"""What a load saw: every request counted once, as answered or as failed, and which version answered when."""

import math
import time
from collections import Counter
from dataclasses import dataclass, field

from .exchange import Failure

__all__ = ["Tally"]

FAILURES_KEPT = 50  # described one by one; all are counted
BUCKET = 1.1  # each bucket of durations is a tenth longer than the one before
SHORTEST = 0.0001  # seconds: the first bucket


@dataclass(slots=True)
class Tally:
    """What was seen so far; times are seconds since the load began."""

    began: float = field(default_factory=time.monotonic)
    started: int = 0
    finished: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, object]] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    spans: dict[str, list[float]] = field(default_factory=dict)
    durations: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    connections: int = 0
    close_codes: Counter[int] = field(default_factory=Counter)
    texts: int = 0

    def now(self) -> float:
        """Tell the seconds since the load began."""
        return time.monotonic() - self.began

    def answered(self, version: str, began: float, *, timed: bool) -> None:
        """Count a request that went well."""
        self.finished += 1
        self.versions[version] += 1
        span = self.spans.setdefault(version, [began, began])
        span[0], span[1] = min(span[0], began), max(span[1], began)
        if timed:
            seconds = self.now() - began
            self.slowest = max(self.slowest, seconds)
            self.durations[_bucket(seconds)] += 1

    def broken(self, failure: Failure, began: float) -> None:
        """Count a request that failed."""
        self.failed[failure.kind] += 1
        if len(self.failures) < FAILURES_KEPT:
            at, after = round(began, 4), round(self.now() - began, 4)
            self.failures.append({"kind": failure.kind, "detail": failure.detail, "at": at, "after": after})

    def summary(self) -> dict[str, object]:
        """Give everything as JSON can carry it."""
        by_start = sorted(self.spans, key=lambda version: self.spans[version][0])
        by_end = sorted(self.spans, key=lambda version: self.spans[version][1])
        return {
            "seconds": round(self.now(), 3),
            "started": self.started,
            "finished": self.finished,
            "failed": sum(self.failed.values()),
            "failed_by_kind": dict(self.failed),
            "failures": self.failures,
            "versions": dict(self.versions),
            "spans": self.spans,
            "first_version": by_start[0] if by_start else "",
            "last_version": by_end[-1] if by_end else "",
            "connections": self.connections,
            "websocket_codes": {str(code): times for code, times in self.close_codes.items()},
            "websocket_texts": self.texts,
            "median": self._share(0.5),
            "p99": self._share(0.99),
            "slowest": round(self.slowest, 5),
        }

    def _share(self, share: float) -> float:
        """Give the duration below which a share of the paced requests stayed, to a tenth of itself."""
        wanted = share * self.durations.total()
        counted = 0
        for bucket in sorted(self.durations):
            counted += self.durations[bucket]
            if counted >= wanted:
                return round(SHORTEST * BUCKET**bucket, 5)
        return 0.0


def _bucket(seconds: float) -> int:
    """Number the bucket of a duration."""
    return max(0, math.ceil(math.log(max(seconds, SHORTEST) / SHORTEST, BUCKET)))
