"""The channel to control: what is bounded, what comes before what."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tako_modules.model import snapshot as model
from tako_modules.net.loop import Loop
from tako_modules.proxy.feed import Feed

from .bed import Clock, ImpatientPoller


class Boss:
    """Orders that arrived."""

    def __init__(self) -> None:
        self.snapshots: list[model.Snapshot] = []
        self.drains: list[float] = []
        self.orphaned = 0
        self.reports: list[int] = []

    def on_report(self, serial: int) -> None:
        """Keep it."""
        self.reports.append(serial)

    def on_snapshot(self, snapshot: model.Snapshot) -> None:
        """Keep it."""
        self.snapshots.append(snapshot)

    def on_drain(self, seconds: float) -> None:
        """Keep it."""
        self.drains.append(seconds)

    def on_orphaned(self) -> None:
        """Count it."""
        self.orphaned += 1


class Line:
    """A feed, the loop under it, and control's end."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.loop = Loop(ImpatientPoller(), self.clock)
        self.control, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        self.boss = Boss()
        self.feed = Feed(self.loop, channel, self.boss)
        self.feed.begin()

    def turn(self, count: int = 5) -> None:
        """Let the loop turn."""
        for _ in range(count):
            self.loop.turn()

    def facts(self) -> list[model.Fact]:
        """Take what has been reported."""
        found = []
        try:
            while packet := self.control.recv(1 << 18):
                found.append(model.decode_fact(packet))
        except BlockingIOError:
            pass
        return found


@pytest.fixture(name="line")
def _line() -> Iterator[Line]:
    line = Line()
    yield line
    line.control.close()
    line.feed.close()
    line.loop.close()


def test_what_is_in_flight_goes_before_the_acknowledgement(line: Line) -> None:
    line.feed.in_flight({"one": 3})
    line.feed.applied(1, 2)
    assert line.facts() == [model.InFlight(instances={"one": 3}), model.Applied(epoch=1, generation=2)]


def test_an_instance_that_falls_idle_often_is_reported_now_and_then(line: Line) -> None:
    for _ in range(100):
        line.feed.emptied("one", urgent=False)
        line.turn(1)
    line.clock.skipped += 0.06
    line.turn()
    assert 1 <= len(line.facts()) <= 5


def test_a_withdrawn_instance_that_falls_idle_is_reported_at_once(line: Line) -> None:
    line.feed.emptied("one", urgent=True)
    line.turn(1)
    assert line.facts() == [model.InFlight(instances={"one": 0})]


def test_nothing_is_lost_or_queued_when_control_does_not_read(line: Line) -> None:
    sent = 0
    for number in range(20_000):
        line.feed.served([model.ServedCount(app="shop", version="v1", finished=number)], number)
        line.clock.skipped += 0.06
        line.turn(1)
        sent = number
    kept = line.facts()
    assert len(kept) < 5000
    line.turn(10)
    last = line.facts()[-1]
    assert last == model.Served(counts=(model.ServedCount(app="shop", version="v1", finished=sent),), connections=sent)


def test_many_counts_travel_in_several_packets(line: Line) -> None:
    line.feed.served((model.ServedCount(app=f"app{number}", version="v1") for number in range(250)), 7)
    line.clock.skipped += 0.06
    line.turn()
    facts = [fact for fact in line.facts() if isinstance(fact, model.Served)]
    assert [len(fact.counts) for fact in facts] == [100, 100, 50]
    assert {fact.connections for fact in facts} == {7}


def test_what_was_recent_in_a_count_that_could_not_be_sent_is_not_lost(line: Line) -> None:
    for started, recent in ((1, 40), (2, 900), (3, 7)):
        line.feed.served([model.ServedCount(app="a", version="v", started=started, recent_wait=recent)], 1)
    line.clock.skipped += 0.06
    line.turn()
    [served] = [fact for fact in line.facts() if isinstance(fact, model.Served)]
    assert [(count.started, count.recent_wait) for count in served.counts] == [(3, 900)]


def test_a_report_follows_what_was_counted(line: Line) -> None:
    line.control.send(model.encode(model.Report(serial=7)))
    line.turn()
    assert line.boss.reports == [7]
    line.feed.served([model.ServedCount(app="shop", version="v1", finished=3)], 1)
    line.feed.reported(7)
    assert line.facts()[-2:] == [
        model.Served(counts=(model.ServedCount(app="shop", version="v1", finished=3),), connections=1),
        model.Reported(serial=7),
    ]


def test_failures_are_bounded(line: Line) -> None:
    for number in range(1000):
        line.feed.upstream_failed(f"i{number}", "refused")
    line.clock.skipped += 0.06
    line.turn()
    assert len(line.facts()) == 100


def test_descriptors_of_ignored_packets_are_closed(line: Line) -> None:
    before = {entry.name for entry in Path("/proc/self/fd").iterdir()}
    for packet in (
        b"\xc1",
        model.encode(model.Drain(seconds=3.0)),
        model.encode(model.NewSnapshot(epoch=1, generation=1)),
    ):
        memory = os.memfd_create("x")
        socket.send_fds(line.control, [packet], [memory])
        os.close(memory)
    line.turn()
    assert line.boss.drains == [3.0]
    assert line.boss.snapshots == []
    assert {entry.name for entry in Path("/proc/self/fd").iterdir()} == before


def test_the_end_of_the_channel_is_told_once(line: Line) -> None:
    line.control.close()
    line.turn()
    assert line.boss.orphaned == 1
    line.feed.applied(1, 1)
    line.feed.finish()
