"""What is kept of earlier releases."""

from tako_modules.model.release import Release
from tako_modules.plan import retention

DAY = 24 * 3600.0
NOW = 1000 * DAY


def release(version: str, age_days: float, *, served: bool = True) -> Release:
    return Release(app="shop", version=version, created_at=NOW - age_days * DAY, served=served)


def gone(
    releases: list[Release], *, used: frozenset[str] = frozenset({"v0"}), leased: bool = False, disk_low: bool = False
) -> set[str]:

    found = retention.expired(releases, used=used, leased=leased, now=NOW, disk_low=disk_low)
    return {one.version for one in found}


def test_five_good_ones_and_the_running_one_stay_however_old() -> None:
    releases = [release(f"v{n}", 100 + n) for n in range(9)]
    assert gone(releases) == {"v5", "v6", "v7", "v8"}


def test_young_ones_stay_while_the_disk_allows() -> None:
    releases = [release(f"v{n}", n) for n in range(9)]
    assert gone(releases) == set()
    assert gone(releases, disk_low=True) == {"v5", "v6", "v7", "v8"}


def test_a_running_release_stays_though_it_is_the_oldest() -> None:
    releases = [release(f"v{n}", 100 + n) for n in range(9)]
    assert gone(releases, used=frozenset({"v8"})) == {"v5", "v6", "v7"}


def test_what_an_interrupted_deploy_left_goes_once_the_lease_is_over() -> None:
    releases = [release("v0", 1), release("half", 0, served=False)]
    assert gone(releases, leased=True) == set()
    assert gone(releases) == {"half"}
    assert gone(releases, used=frozenset({"v0", "half"})) == set()
