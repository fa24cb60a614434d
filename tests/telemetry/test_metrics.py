"""Sums over workers that come and go."""

from tako_modules.model.deployment import Counters
from tako_modules.model.snapshot import LATENCY_SLOTS, Served, ServedCount
from tako_modules.telemetry.metrics import Tally


def served(
    app: str, version: str, started: int, *, wait: int = 0, recent: int = 0, latency: tuple[int, ...] = ()
) -> Served:
    count = ServedCount(
        app=app,
        version=version,
        started=started,
        finished=started,
        bytes_out=10 * started,
        longest_wait=wait,
        recent_wait=recent,
        latency=latency,
    )
    return Served(counts=(count,))


def test_cumulative_reports_replace_each_other_and_workers_add_up() -> None:
    tally = Tally()
    for started in (1, 5, 9):
        tally.update("10.1", served("shop", "v1", started, wait=started))
    tally.update("11.1", served("shop", "v1", 2, wait=3))
    tally.update("11.1", served("shop", "v2", 4))
    tally.update("11.1", served("blog", "v1", 100))
    assert tally.of("shop") == Counters(started=15, finished=15, bytes_out=150, longest_wait=9)
    assert {version: count.started for version, count in tally.by_version("shop").items()} == {"v1": 11, "v2": 4}
    assert tally.of("nobody") == Counters()


def test_the_longest_wait_of_a_while_is_not_the_one_before_it() -> None:
    tally = Tally()
    tally.update("10.1", served("shop", "v1", 1, wait=3000, recent=3000))
    tally.watch_waits("shop")
    for worker, version, recent in (("10.1", "v1", 20), ("11.1", "v2", 45), ("10.1", "v1", 5)):
        tally.update(worker, served("shop", version, 2, wait=3000, recent=recent))
    tally.update("10.1", served("blog", "v1", 1, wait=700, recent=700))
    assert tally.watched_wait("shop") == 45
    assert tally.watched_wait("shop") == 0
    assert tally.of("shop").longest_wait == 3000


def test_a_while_without_requests_has_no_longest_wait() -> None:
    tally = Tally()
    tally.update("10.1", served("shop", "v1", 1, wait=3000, recent=3000))
    tally.watch_waits("shop")
    assert tally.watched_wait("shop") == 0


def test_what_a_worker_reported_since_the_start_is_newer_than_what_was_stored() -> None:
    tally = Tally()
    tally.update("10.1", served("shop", "v1", 9))
    tally.restore({("10.1", "shop", "v1"): Counters(started=5), ("", "shop", "v1"): Counters(started=100)})
    assert tally.of("shop").started == 109


def test_what_dead_workers_served_stays() -> None:
    tally = Tally()
    for worker in ("10.1", "11.1", "12.1"):
        tally.update(worker, served("shop", "v1", 5))
        tally.retire(worker)
        tally.retire(worker)
    tally.update("13.1", served("shop", "v1", 1))
    assert tally.of("shop").started == 16
    assert len(tally.export()) == 2


def test_a_new_control_counts_nothing_twice() -> None:
    before = Tally()
    before.update("10.1", served("shop", "v1", 5))
    before.update("11.1", served("shop", "v1", 7))
    before.retire("10.1")
    after = Tally()
    after.restore(before.export())
    after.update("11.1", served("shop", "v1", 9))
    assert after.of("shop").started == 14
    after.retire_others({"12.1"})
    after.update("12.1", served("shop", "v1", 1))
    assert after.of("shop").started == 15
    assert {key[0] for key in after.export()} == {"", "12.1"}


def test_old_versions_become_one() -> None:
    tally = Tally()
    for number in range(5):
        tally.update(f"{number}.1", served("shop", f"v{number}", 1))
        tally.retire(f"{number}.1")
    tally.update("9.1", served("shop", "v0", 1))
    tally.fold("shop", {"v4"})
    assert {version: count.started for version, count in tally.by_version("shop").items()} == {"": 4, "v0": 1, "v4": 1}
    assert tally.of("shop").started == 6


def test_a_deleted_deployment_is_forgotten() -> None:
    tally = Tally()
    tally.update("1.1", served("shop", "v1", 1))
    tally.update("1.1", served("blog", "v1", 1))
    tally.drop("shop")
    assert tally.of("shop") == Counters()
    assert tally.of("blog").started == 1


def test_latencies_add_up_over_workers_dead_and_alive() -> None:
    tally = Tally()
    tally.update("1.1", served("shop", "v1", 3, latency=(1, 2)))
    tally.retire("1.1")
    tally.update("2.1", served("shop", "v1", 3, latency=(1, 0, 5)))
    assert tally.latency("shop") == (2, 2, 5, *[0] * (LATENCY_SLOTS - 3))
