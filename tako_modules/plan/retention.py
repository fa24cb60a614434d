"""Which releases of a deployment may go."""

from collections.abc import Collection, Sequence

from tako_modules.model.release import Release

__all__ = ["GOOD_KEPT", "YOUNG_SECONDS", "expired"]

GOOD_KEPT = 5  # releases that have served, beside the running ones: what `tako rollback` can go back to
YOUNG_SECONDS = 30 * 24 * 3600.0  # those younger than this stay as well, while the disk allows


def expired(
    releases: Sequence[Release], *, used: Collection[str], leased: bool, now: float, disk_low: bool = False
) -> list[Release]:
    """Pick the releases to delete; used: versions that run or are being rolled out; now: wall time.

    A release that never served goes as soon as nobody holds the lease: it is what an interrupted deploy left behind.
    """
    by_age = sorted(releases, key=lambda release: release.created_at, reverse=True)
    good = [release for release in by_age if release.served]
    kept = {release.version for release in good[:GOOD_KEPT]} | set(used)
    young = {release.version for release in good if now - release.created_at < YOUNG_SECONDS and not disk_low}
    left_behind = [] if leased else [release for release in by_age if not release.served]
    old = [release for release in good if release.version not in kept | young]
    return [release for release in (*left_behind, *old) if release.version not in used]
