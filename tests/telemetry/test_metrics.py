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


def begun() -> Tally:
    """A tally of a server that had none before."""
    tally = Tally()
    tally.restore({})
    return tally


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


def test_a_worker_that_ends_before_the_stored_counts_are_here_is_added_to_them_once() -> None:
    tally = Tally()
    tally.update("10.1", served("shop", "v1", 60))
    tally.retire("10.1")
    tally.restore(
        {
            ("", "shop", "v1"): Counters(started=1000),
            ("10.1", "shop", "v1"): Counters(started=50),
            ("10.1", "shop", "v0"): Counters(started=7),
        }
    )
    tally.retire_others(())
    assert {version: count.started for version, count in tally.by_version("shop").items()} == {"v1": 1060, "v0": 7}
    assert {key[0] for key in tally.export()} == {""}


def test_what_dead_workers_served_stays() -> None:
    tally = begun()
    for worker in ("10.1", "11.1", "12.1"):
        tally.update(worker, served("shop", "v1", 5))
        tally.retire(worker)
        tally.retire(worker)
    tally.update("13.1", served("shop", "v1", 1))
    assert tally.of("shop").started == 16
    assert len(tally.export()) == 2


def test_a_new_control_counts_nothing_twice() -> None:
    before = begun()
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
    tally = begun()
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


def test_what_a_worker_counted_before_a_deletion_does_not_come_back() -> None:
    tally = begun()
    tally.update("1.1", served("shop", "v1", 100, wait=3000, latency=(100,)))
    tally.drop("shop")
    tally.update("1.1", served("shop", "v1", 102, wait=3000, latency=(102,)))
    tally.update("2.1", served("shop", "v1", 4, wait=900, latency=(4,)))
    tally.update("1.1", served("shop", "v0", 3))
    assert tally.by_version("shop") == {}, "what was not reported yet is of before too"
    tally.watch_waits("shop")
    tally.update("1.1", served("shop", "v1", 103, wait=3000, recent=20, latency=(102, 1)))
    tally.update("2.1", served("shop", "v1", 6, wait=1500, recent=1500, latency=(6,)))
    tally.update("2.1", served("shop", "v1", 7, wait=1500, recent=3, latency=(7,)))
    assert tally.of("shop") == Counters(started=4, finished=4, bytes_out=40, longest_wait=1500)
    assert tally.by_version("shop")["v1"].started == 4
    assert tally.latency("shop")[:2] == (3, 1)
    assert tally.watched_wait("shop") == 1500


def test_the_longest_wait_before_a_deletion_is_not_that_of_what_comes_after() -> None:
    tally = begun()
    tally.update("1.1", served("shop", "v1", 1, wait=3000, recent=3000))
    tally.drop("shop")
    tally.watch_waits("shop")
    for recent in (20, 45, 5):
        tally.update("1.1", served("shop", "v1", 2, wait=3000, recent=recent))
    assert tally.of("shop").longest_wait == 45


def test_a_deployment_may_be_deleted_again_and_again() -> None:
    tally = begun()
    for started in (100, 150, 175):
        tally.update("1.1", served("shop", "v1", started))
        tally.drop("shop")
        tally.watch_waits("shop")
    tally.update("1.1", served("shop", "v1", 180))
    assert tally.of("shop").started == 5
    tally.retire("1.1")
    tally.drop("shop")
    assert tally.of("shop") == Counters()
    assert tally.export() == {}


def test_what_was_deleted_is_remembered_no_longer_than_its_workers_live() -> None:
    tally = begun()
    for worker in ("1.1", "2.1"):
        tally.update(worker, served("shop", "v1", 100))
    tally.drop("shop")
    tally.drop("nobody")
    assert len(tally.export()) == 2
    tally.watch_waits("shop")
    tally.update("1.1", served("shop", "v1", 105))
    for worker in ("1.1", "2.1"):
        tally.retire(worker)
    assert {key: count.started for key, count in tally.export().items()} == {("", "shop", "v1"): 5}
    tally.update("3.1", served("shop", "v1", 2))
    assert tally.of("shop").started == 7


def test_a_new_control_takes_away_what_was_deleted_under_the_one_before() -> None:
    before = begun()
    for worker in ("1.1", "2.1", "3.1"):
        before.update(worker, served("shop", "v1", 100, wait=3000))
    before.drop("shop")
    before.watch_waits("shop")
    before.update("1.1", served("shop", "v1", 110, wait=3000, recent=40))
    before.update("2.1", served("shop", "v1", 110, wait=3000, recent=40))
    after = Tally()
    after.update("1.1", served("shop", "v1", 115, wait=3000, recent=30))  # before it knows what is stored
    after.restore(before.export())
    after.retire_others({"1.1", "2.1"})
    after.update("2.1", served("shop", "v1", 111, wait=3000, recent=30))
    assert after.of("shop") == Counters(started=26, finished=26, bytes_out=260, longest_wait=40)
    assert {key[0].rpartition(":")[2] for key in after.export()} == {"1.1", "2.1"}


def test_latencies_add_up_over_workers_dead_and_alive() -> None:
    tally = begun()
    tally.update("1.1", served("shop", "v1", 3, latency=(1, 2)))
    tally.retire("1.1")
    tally.update("2.1", served("shop", "v1", 3, latency=(1, 0, 5)))
    assert tally.latency("shop") == (2, 2, 5, *[0] * (LATENCY_SLOTS - 3))
