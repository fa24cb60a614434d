"""When control and the workers are started again."""

__all__ = ["FIRST", "LONGEST", "STEADY", "Restarts"]

FIRST, LONGEST = 0.1, 5.0  # seconds: short enough to go unnoticed, long enough not to eat a core
STEADY = 2.0  # seconds of life after which the count begins anew
AT_ONCE = 3  # early ends with code 0 in a row that are no failure: an upgrade replaces control by ending it


class Restarts:
    """Consecutive early ends per process; `counts` goes over a re-exec."""

    def __init__(self, counts: dict[str, int] | None = None) -> None:
        self.counts = dict(counts or {})

    def delay(self, name: str, lived: float, code: int | None) -> float:
        """Count one end and tell the seconds to wait; code None: it could not even be started."""
        count = 0 if lived >= STEADY else self.counts.get(name, 0) + 1
        self.counts[name] = count
        if code == 0 and count <= AT_ONCE:
            return 0.0
        doublings = max(0, min(count, 16) - 1)  # 16 doublings are far beyond LONGEST
        return min(FIRST * 2.0**doublings, LONGEST)
