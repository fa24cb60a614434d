"""Parent: requests are done or refused with a reason, and a stop is orderly."""

import os
import signal
import time
from pathlib import Path

import pytest

from .bed import Bed, Control, Members, alive, eventually

LONG_KEY = b'{"op": "kill", "pid": 1, "start": 1, "signal": 9, "' + b"\\u0001" * 20_000 + b'": 1}'
LONG_ID = b'{"op": "worker", "id": "' + b"x" * 100_000 + b'"}'


@pytest.mark.parametrize(
    ("op", "members", "message"),
    [
        pytest.param("dance", {}, "unknown op", id="unknown op"),
        pytest.param("kill", {"pid": 5}, "start is missing", id="missing member"),
        pytest.param("ack", {"pid": 5, "start": 5, "also": 1}, "unknown key also", id="unknown member"),
        pytest.param("status", {"text": 5}, "text is not a text", id="wrong type"),
        pytest.param("worker", {"id": "7"}, "no worker has the id 7", id="worker beyond the number"),
        pytest.param("snapshot", {"packet": "eA=="}, "0 descriptors instead of 1", id="no memfd"),
        pytest.param("snapshot", {"packet": "?"}, "packet is not base64", id="not base64"),
    ],
)
def test_a_refused_request_says_why(calm_control: Control, op: str, members: Members, message: str) -> None:
    calm_control.ask(op, members)
    event = calm_control.expect("error", {"op": op})
    assert message in str(event["message"])


@pytest.mark.parametrize(
    ("members", "message"),
    [
        pytest.param({"argv": []}, "argv is empty", id="empty argv"),
        pytest.param({"shell": True}, "unknown key shell", id="unknown member"),
        pytest.param({"kind": "worker"}, "kind is not one of instance, task", id="wrong kind"),
        pytest.param({"stdin": True}, "0 descriptors instead of 1", id="no descriptor"),
        pytest.param({"umask": 0o1777}, "umask is not a number from 0 to 511", id="out of bounds"),
    ],
)
def test_a_refused_spawn_is_answered_by_its_id(calm_control: Control, members: Members, message: str) -> None:
    event = calm_control.spawn("exit 0", "refused", members)
    assert (event["event"], event["step"]) == ("failed", "request")
    assert message in str(event["message"])


def test_no_app_runs_as_root_by_a_forgotten_key(bed: Bed) -> None:
    control = bed.start().control()
    rights: Members = {"uid": 1, "gid": 1} if bed.rootless else {"uid": None, "gid": None}
    event = control.spawn("exit 0", "web", rights)
    assert (event["event"], event["step"]) == ("failed", "request")
    assert "uid and gid" in str(event["message"])


def test_null_means_absent(calm_control: Control) -> None:
    nothing = dict.fromkeys(["uid", "gid", "groups", "umask", "nofile", "cgroups", "nice", "oom_score_adj", "kind"])
    assert calm_control.spawn("exit 0", "nulls", nothing)["event"] == "spawned"


def test_an_id_runs_once(calm_control: Control) -> None:
    assert calm_control.spawn("sleep 60", "once")["event"] == "spawned"
    assert calm_control.spawn("sleep 60", "once")["event"] == "failed"
    assert calm_control.spawn("sleep 60", "once", {"kind": "task"})["event"] == "spawned"


def test_bytes_that_are_no_request_are_refused(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    for data in (b"\xff\xfe", b"[]", b"{", b"[" * 100_000, b'{"op": 5}', b"x" * 200_000, LONG_KEY, LONG_ID):
        control.channel.send(data)
        control.expect("error")
    assert control.spawn("exit 0")["event"] == "spawned"


def test_descriptors_of_a_refused_request_are_closed(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    receiver, sender = os.pipe()
    control.ask("status", {"text": "x"}, [sender])
    os.close(sender)
    control.expect("error")
    with open(receiver, "rb") as file:
        assert file.read() == b""


@pytest.mark.parametrize(("scope", "child_lives"), [("group", False), ("process", True)])
def test_the_scope_of_a_kill(rootless_bed: Bed, scope: str, child_lives: bool) -> None:
    control = rootless_bed.start().control()
    event = control.spawn("trap '' USR1; (trap - USR1; exec sleep 60) & echo $!; wait; read line")
    child = int(os.read(event.descriptors[0], 20))
    eventually(lambda: Path(f"/proc/{child}/exe").readlink().name == "sleep")
    control.ask("kill", {**event.named, "signal": signal.SIGUSR1, "scope": scope})
    control.spawn("exit 0", "answer")
    if not child_lives:
        eventually(lambda: not alive(child))
    assert alive(child) == child_lives


def test_a_kill_by_an_old_name_hits_nobody(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    event = control.spawn("sleep 60")
    control.ask("kill", {"pid": event["pid"], "start": event.number("start") - 1, "signal": signal.SIGKILL})
    control.spawn("exit 0", "answer")
    assert alive(event.number("pid"))


def test_an_instance_cannot_be_retired(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    event = control.spawn("sleep 60")
    control.ask("retire", event.named)
    control.expect("error", {"op": "retire"})
    assert alive(event.number("pid"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_in_the_hands_of_control(bed: Bed, number: int) -> None:
    control = bed.start(workers=1).control()
    control.whole()
    worker, one = bed.accept("worker"), control.spawn("sleep 60")
    bed.signal(number)
    assert control.expect("stop")["seconds"] == 60.0
    assert alive(worker.pid)
    assert alive(one.number("pid"))
    os.kill(worker.pid, signal.SIGTERM)
    control.expect("exit", {"kind": "worker"})
    assert control.silent()  # a worker that ends during a stop is not replaced
    control.ask("stopped")
    assert bed.wait() == 0
    assert not alive(one.number("pid"))
    assert not alive(control.pid)
    assert not bed.socket.exists()


def test_a_control_that_dies_during_a_stop_comes_back_to_finish_it(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    control.whole()
    rootless_bed.signal(signal.SIGTERM)
    control.expect("stop")
    os.kill(control.pid, signal.SIGKILL)
    again = rootless_bed.control()
    hello = again.expect("hello")
    assert hello["stopping"] is True
    assert 50 < float(str(hello["seconds"])) <= 60
    again.ask("stopped")
    assert rootless_bed.wait() == 0


def test_a_control_that_cannot_be_started_is_tried_again(rootless_bed: Bed) -> None:
    program = rootless_bed.folder / "control"
    argv = rootless_bed.argv()
    argv[argv.index("--control") + 1] = f'["{program}"]'
    rootless_bed.start_with(argv)
    eventually(lambda: "cannot start control" in rootless_bed.words())
    program.write_text(f"#!/bin/sh\nexec {rootless_bed.toy} control\n")
    program.chmod(0o755)
    rootless_bed.control().expect("end")


def test_environments(rootless_bed: Bed) -> None:
    env = {"NOTIFY_SOCKET": "/nowhere", "LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "x", "TAKO_X": "1"}
    control = rootless_bed.start("--worker-env", "TZ=UTC", workers=1, env=env).control()
    worker = rootless_bed.accept("worker")
    assert environment(control.pid) == {"PATH", "TOY", "TAKO_X"}
    assert environment(worker.pid) == {"PATH", "TOY", "TZ"}
    rootless_bed.signal(signal.SIGHUP)
    control.expect("resumed")
    control.end(0)
    assert environment(rootless_bed.control().pid) == {"PATH", "TOY", "TAKO_X"}


def environment(pid: int) -> set[str]:
    """Name the variables that a process was given."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        return {item.partition(b"=")[0].decode() for item in file.read().split(b"\0") if item} - {"LC_CTYPE"}


def test_a_busy_control_sees_events_in_order(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    control.whole()
    for number in range(20):
        control.ask("spawn", {**control.script(f"exit {number}"), "id": f"task-{number}", "kind": "task"})
    seen: dict[object, list[object]] = {}
    deadline = time.monotonic() + 8
    while sum("exit" in events for events in seen.values()) < 20:
        assert time.monotonic() < deadline
        event = control.receive()
        seen.setdefault(event["id"], []).append(event["event"])
    assert set(map(tuple, seen.values())) == {("spawned", "exit")}
