"""The small parts: counters, balance, view, access log."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tako_modules.model import snapshot as model
from tako_modules.net.loop import Loop
from tako_modules.proxy import access, balance, counters

from .bed import Clock, ImpatientPoller, address, app, bed

GET = b'GET /x HTTP/1.1\r\nHost: a.test\r\nUser-Agent: a"b\\c\xff\r\n\r\n'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(name="loop")
def _loop() -> Iterator[Loop]:
    loop = Loop(ImpatientPoller(), Clock())
    yield loop
    loop.close()


def test_only_changed_counts_are_given_and_they_are_cumulative() -> None:
    all_counts = counters.Counters()
    one, two = all_counts.of("a", "v1"), all_counts.of("b", "v1")
    assert all_counts.of("a", "v1") is one
    one.start()
    assert [fact.app for fact in all_counts.changed()] == ["a"]
    assert list(all_counts.changed()) == []
    one.finish(0.5, 0.25, 10, 20)
    two.start()
    facts = {fact.app: fact for fact in all_counts.changed()}
    assert (facts["a"].started, facts["a"].finished, facts["a"].longest_wait) == (1, 1, 250)
    assert (facts["a"].bytes_in, facts["a"].bytes_out) == (10, 20)


def test_the_longest_wait_is_told_for_ever_and_since_the_last_report() -> None:
    all_counts = counters.Counters()
    one = all_counts.of("a", "v1")
    told = []
    for waited in (0.25, 0.125, 0.5):
        one.finish(1.0, waited, 0, 0)
        told += [(fact.longest_wait, fact.recent_wait) for fact in all_counts.changed()]
    assert told == [(250, 250), (250, 125), (500, 500)]


@pytest.mark.parametrize(
    ("seconds", "slot"), [(0.0, 0), (0.0009, 0), (0.001, 1), (0.003, 2), (1.0, 10), (1e6, model.LATENCY_SLOTS - 1)]
)
def test_latency_slots_are_powers_of_two(seconds: float, slot: int) -> None:
    count = counters.Count("a", "v1")
    count.finish(seconds, 0.0, 0, 0)
    assert count.latency[slot] == 1


@dataclass(frozen=True)
class Some:
    """A candidate."""

    in_flight: int


@pytest.mark.parametrize(
    ("busy", "turn", "chosen"),
    [([1], 5, 0), ([2, 1, 3], 0, 1), ([1, 1, 1], 4, 1), ([1, 1, 0], 1, 2), ([0, 5, 0], 1, 2)],
)
def test_the_least_busy_is_chosen_and_equals_in_turn(busy: list[int], turn: int, chosen: int) -> None:
    some = [Some(number) for number in busy]
    assert balance.least_busy(some, turn) is some[chosen]


def test_every_request_is_one_json_line(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with bed(path) as one:
        server = one.server()
        one.publish(app(address(server.port)))
        client = one.client(GET)
        server.accept().send(OK)
        client.answer()
        client.send(b"GET / HTTP/1.1\r\nHost: no.test\r\n\r\n").answer()
        client.send(b"nonsense\r\n\r\n").rest()
        one.skip(0.2)
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["s"] for line in lines] == [200, 404, 400]
    assert [line["host"] for line in lines] == ["a.test", "no.test", ""], "what is no request has no host"
    first = lines[0]
    assert (first["app"], first["host"], first["m"], first["u"], first["b"]) == ("shop", "a.test", "GET", "/x", 2)
    assert first["ua"] == 'a"b\\c\xff'
    assert first["ip"] == "127.0.0.1"
    assert first["us"] > 0
    assert len(first["id"]) == 20
    assert first["t"].endswith("Z")


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path, loop: Loop) -> None:
    path = tmp_path / "access.log"
    lines = access.AccessLog(loop, path)
    lines.add(b'"n":1')
    lines.flush()
    path.rename(tmp_path / "moved")
    lines.add(b'"n":2')
    lines.flush()
    lines.close()
    assert b'"n":2' in path.read_bytes()
    assert b'"n":1' in (tmp_path / "moved").read_bytes()


def test_a_large_file_is_moved_and_the_oldest_forgotten(tmp_path: Path, loop: Loop) -> None:
    path = tmp_path / "access.log"
    lines = access.AccessLog(loop, path)
    for number in range(8):
        with path.open("ab") as file:
            file.truncate(access.FILE_BYTES)
        lines.add(b'"n":%d' % number)
        lines.flush()
    lines.close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "access.log",
        "access.log.1",
        "access.log.2",
        "access.log.3",
        "access.log.4",
    ]
    assert path.read_bytes().endswith(b'"n":7}\n')


def test_two_workers_share_a_file_through_its_rotation(tmp_path: Path, loop: Loop) -> None:
    path = tmp_path / "access.log"
    one, two = access.AccessLog(loop, path), access.AccessLog(loop, path)
    one.add(b'"n":1')
    one.flush()
    two.add(b'"n":2')
    two.flush()
    os.truncate(path, access.FILE_BYTES)
    one.add(b'"n":3')
    one.flush()
    two.add(b'"n":4')
    two.flush()
    one.close()
    two.close()
    assert [json.loads(line)["n"] for line in path.read_bytes().splitlines()] == [3, 4]


def test_lines_that_cannot_be_written_are_dropped_and_counted(tmp_path: Path, loop: Loop) -> None:
    lines = access.AccessLog(loop, tmp_path / "missing" / "access.log")
    for number in range(access.FLUSH_LINES + 3):
        lines.add(b'"n":%d' % number)
    assert lines.dropped == access.FLUSH_LINES
    lines.flush()
    assert lines.dropped == access.FLUSH_LINES + 3


def test_a_full_disk_drops_lines(loop: Loop) -> None:
    lines = access.AccessLog(loop, Path("/dev/full"))
    lines.add(b'"n":1')
    lines.flush()
    lines.close()
    assert lines.dropped == 1


def test_without_a_path_nothing_is_kept(loop: Loop) -> None:
    lines = access.AccessLog(loop)
    lines.add(b'"n":1')
    lines.flush()
    assert lines.dropped == 0
