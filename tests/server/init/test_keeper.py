"""Keeper: children are adopted after a kill, and reported until acknowledged; control and workers come back."""

import os
import signal
import socket

from .bed import Bed, alive, eventually


def test_hello_tells_what_init_holds_then_end(bed: Bed) -> None:
    control = bed.start().control()
    hello, end = control.whole()
    assert (hello["event"], hello["pid"], hello["build"]) == ("hello", bed.process.pid, 0)
    assert (hello["stopping"], hello["seconds"], hello["workers"]) == (False, 0.0, 0)
    assert (hello["rootless"], hello["file"]) == (bed.rootless, str(bed.file))
    assert len(hello.descriptors) == 1
    assert end.members == {"event": "end"}


def test_a_killed_control_finds_the_same_children(bed: Bed) -> None:
    control = bed.start(workers=1).control()
    control.expect("child", {"kind": "worker"})
    spawned = [control.spawn("sleep 60", f"web-{number}") for number in range(3)]
    os.kill(control.pid, signal.SIGKILL)
    listed = {one["id"]: one for one in bed.control().whole()[1:-1]}
    assert listed.keys() == {"0", "web-0", "web-1", "web-2"}
    for one in spawned:
        again = listed[str(one["id"])]
        assert again["event"] == "child"
        assert again.members | {"event": "spawned"} == one.members
        assert len(again.descriptors) == 1


def test_what_an_adopted_instance_prints_is_in_the_pipe_of_the_new_control(bed: Bed) -> None:
    control = bed.start().control()
    control.whole()
    one = control.spawn("trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.02; done")
    assert os.read(one.descriptors[0], 64) == b"ready\n"
    control.end(1)
    again = bed.control()
    child = again.expect("child", {"id": "web"})
    again.ask("kill", {**child.named, "signal": signal.SIGTERM})
    assert again.expect("exit", {"id": "web"})["code"] == 3
    assert child.read().endswith(b"told\n")  # the shell, too, says that its sleep was killed


def test_an_exit_is_repeated_with_its_last_line_until_it_is_acknowledged(bed: Bed) -> None:
    control = bed.start().control()
    control.whole()
    crashed = control.spawn("sleep 0.1; echo last words; exit 7")
    killed = control.spawn("sleep 60", "other")
    os.kill(control.pid, signal.SIGKILL)
    os.kill(killed.number("pid"), signal.SIGKILL)
    eventually(lambda: not alive(crashed.number("pid")))
    second = bed.control()
    reports = [second.expect("exit", {"id": "other"}), second.expect("exit", {"id": "web"})]
    assert [report["code"] for report in reports] == [-signal.SIGKILL, 7]
    second.end(1)
    third = bed.control()
    report = third.expect("exit", {"id": "web"})
    assert report.seconds("ended") > report.seconds("since")
    assert report.read() == b"last words\n"
    third.ask("ack", report.named)
    third.end(1)
    assert [one["id"] for one in bed.control().whole() if one["event"] == "exit"] == ["other"]


def test_a_live_exit_carries_no_descriptor(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    spawned = control.spawn("exit 4")
    report = control.expect("exit")
    assert (report["pid"], report["start"], report["code"]) == (spawned["pid"], spawned["start"], 4)
    assert report.descriptors == []


def test_what_control_asked_before_it_died_is_done(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    control.whole()
    rootless_bed.signal(signal.SIGSTOP)
    control.ask("spawn", {**control.script("sleep 60"), "id": "late"})
    os.kill(control.pid, signal.SIGKILL)
    rootless_bed.signal(signal.SIGCONT)
    assert rootless_bed.control().expect("child", {"id": "late"})["kind"] == "instance"


def test_a_control_that_hangs_up_is_ended_and_followed(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    control.whole()
    control.channel.shutdown(socket.SHUT_RDWR)
    again = rootless_bed.control()
    assert again.pid != control.pid
    assert not alive(control.pid)


def test_a_control_that_does_not_read_is_killed_and_the_next_one_gets_the_whole_state(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    control.whole()
    one = control.spawn("sleep 60")
    while alive(control.pid):
        try:
            control.ask("nonsense")
        except (BlockingIOError, BrokenPipeError, ConnectionResetError, TimeoutError):
            break
    eventually(lambda: not alive(control.pid))
    assert rootless_bed.control().expect("child", {"id": "web"})["pid"] == one["pid"]
    assert "does not read" in rootless_bed.words()


def test_a_worker_that_dies_is_replaced_and_its_last_packets_stay_readable(bed: Bed) -> None:
    control = bed.start(workers=1).control()
    first = control.expect("child", {"kind": "worker"})
    worker = bed.accept("worker")
    worker.channel.send(b"counters")
    worker.channel.close()
    os.kill(worker.pid, signal.SIGKILL)
    assert control.expect("exit", {"kind": "worker"})["pid"] == first["pid"] == worker.pid
    assert control.expect("child", {"kind": "worker"})["pid"] == bed.accept("worker").pid
    os.kill(control.pid, signal.SIGKILL)
    report = bed.control().expect("exit", {"kind": "worker"})
    with socket.socket(fileno=report.descriptors.pop()) as channel:
        assert channel.recv(100) == b"counters"


def test_a_new_worker_finds_the_last_snapshot_first(bed: Bed) -> None:
    control = bed.start(workers=1).control()
    control.whole()
    worker = bed.accept("worker")
    for text in (b"first", b"second"):
        memory = os.memfd_create("snapshot")
        os.write(memory, text)
        control.ask("snapshot", {"packet": "AHNuYXBzaG90"}, [memory])
        os.close(memory)
    control.spawn("exit 0")  # an answer: the snapshots have arrived
    os.kill(control.pid, signal.SIGKILL)
    os.kill(worker.pid, signal.SIGKILL)
    data, descriptors, _, _ = socket.recv_fds(bed.accept("worker").channel, 1000, 1)
    assert data == b"\0snapshot"
    assert os.pread(descriptors[0], 100, 0) == b"second"
    os.close(descriptors[0])


def test_control_and_worker_talk_over_the_channel_that_init_keeps(rootless_bed: Bed) -> None:
    control = rootless_bed.start(workers=1).control()
    first = control.expect("child", {"kind": "worker"})
    worker = rootless_bed.accept("worker")
    with socket.socket(fileno=first.descriptors.pop()) as channel:
        channel.send(b"down")
        assert worker.channel.recv(100) == b"down"
    control.end(0)
    again = rootless_bed.control().expect("child", {"kind": "worker"})
    worker.channel.send(b"up")
    with socket.socket(fileno=again.descriptors.pop()) as channel:
        assert channel.recv(100) == b"up"


def test_a_replacement_lives_beside_the_old_worker_until_that_is_retired(rootless_bed: Bed) -> None:
    control = rootless_bed.start(workers=1).control()
    old = control.expect("child", {"kind": "worker"})
    control.ask("worker", {"id": "0"})
    new = control.expect("child", {"kind": "worker", "id": "0"})
    assert alive(old.number("pid"))
    control.ask("worker", {"id": "0"})
    assert "being replaced" in str(control.expect("error", {"op": "worker"})["message"])
    control.ask("retire", old.named)
    report = control.expect("exit", {"kind": "worker"})
    assert (report["pid"], report["retired"]) == (old["pid"], True)
    assert control.silent()
    assert alive(new.number("pid"))


def test_many_instances_are_told_to_a_control_that_reads_late(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    control.whole()
    count = 150
    for number in range(count):
        control.ask("spawn", {**control.script("exec sleep 60"), "id": f"web-{number}"})
    for number in range(count):
        assert control.expect("spawned", {"id": f"web-{number}"}).descriptors
    rootless_bed.signal(signal.SIGHUP)
    control.end(1)
    listed = [one["id"] for one in rootless_bed.control().whole() if one["event"] == "child"]
    assert sorted(map(str, listed)) == sorted(f"web-{number}" for number in range(count))
