"""Renewal: init goes on as another file with pid, children, listeners and everything unread kept; or not at all."""

import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

from .bed import MAIN, Bed, Control, Event, alive, eventually

PLACE = Path("tako_modules/server/init")


def copy_to(folder: Path, *, extra: str = "", main: str | None = None) -> Path:
    """Make a runtime with init alone; returns its main.py, with a line at the beginning or another text."""
    shutil.copytree(MAIN.parent, folder / PLACE, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / PLACE / "main.py"
    file.write_text((extra + MAIN.read_text()) if main is None else main)
    return file


def go_on_slowly(bed: Bed, control: Control, folder: Path) -> None:
    """Ask for a re-exec, and return while the new file has begun and does nothing yet."""
    extra = "import sys, time\nif '--check' not in sys.argv:\n    time.sleep(0.3)\n"
    new = copy_to(folder / "new", extra=extra)
    control.ask("reexec", {"file": str(new)})
    eventually(lambda: str(new).encode() in Path(f"/proc/{bed.process.pid}/cmdline").read_bytes())


def listening(event: Event) -> tuple[str, int]:
    """Give the address of the http listener."""
    return next((host, port) for name, host, port in event.ports if name == "http")


def test_sighup_keeps_pid_children_listeners_and_control(bed: Bed) -> None:
    control = bed.start(workers=1).control()
    hello = control.expect("hello")
    worker = bed.accept("worker")
    one = control.spawn("sleep 60")
    with socket.create_connection(listening(hello)) as waiting:
        bed.signal(signal.SIGHUP)
        assert control.expect("resumed").members == {"event": "resumed", "build": 1, "file": str(bed.file)}
        accepted, _ = worker.given[0].accept()
        with accepted:
            assert accepted.getpeername() == waiting.getsockname()
    control.end(0)
    again = bed.control()
    hello, *listed, _ = again.whole()
    assert (hello["pid"], hello["build"]) == (bed.process.pid, 1)
    assert {child["pid"] for child in listed} == {worker.pid, one["pid"]}
    assert {child["build"] for child in listed} == {0}
    assert again.spawn("exit 0", "other")["build"] == 1


def test_the_link_is_followed_anew(rootless_bed: Bed, tmp_path: Path) -> None:
    copy_to(tmp_path / "v1")
    current = tmp_path / "current"
    current.symlink_to("v1")
    rootless_bed.file = current / PLACE / "main.py"
    control = rootless_bed.start().control()
    new = copy_to(tmp_path / "v2", extra=f"open({str(tmp_path / 'v2-ran')!r}, 'w').close()\n")
    assert new.exists()
    current.unlink()
    current.symlink_to("v2")
    rootless_bed.signal(signal.SIGHUP)
    assert control.expect("resumed")["file"] == str(rootless_bed.file)
    assert (tmp_path / "v2-ran").exists()


def test_another_file_on_request(rootless_bed: Bed, tmp_path: Path) -> None:
    control = rootless_bed.start().control()
    new = copy_to(tmp_path / "new")
    control.ask("reexec", {"file": str(new)})
    assert control.expect("resumed").members == {"event": "resumed", "build": 1, "file": str(new)}
    rootless_bed.signal(signal.SIGHUP)
    assert control.expect("resumed").members == {"event": "resumed", "build": 2, "file": str(new)}


@pytest.mark.parametrize(
    ("main", "reason"),
    [
        pytest.param("this is no Python", "SyntaxError", id="syntax"),
        pytest.param("import nothing_of_this_name", "nothing_of_this_name", id="import"),
        pytest.param("", "ended with 0", id="says nothing"),
        pytest.param("print('ok')\nraise SystemExit(3)", "ended with 3", id="code"),
        pytest.param("import os\nos.kill(os.getpid(), 9)", "ended with -9", id="dies"),
    ],
)
def test_a_broken_file_is_refused_and_nothing_else_happens(
    rootless_bed: Bed, tmp_path: Path, main: str, reason: str
) -> None:
    control = rootless_bed.start(workers=1).control()
    worker = rootless_bed.accept("worker")
    control.ask("reexec", {"file": str(copy_to(tmp_path / "new", main=main))})
    assert reason in str(control.expect("error", {"op": "reexec"})["message"])
    assert control.spawn("exit 0")["build"] == 0
    assert alive(worker.pid)
    rootless_bed.signal(signal.SIGHUP)
    assert control.expect("resumed")["file"] == str(MAIN)


def test_a_missing_file_and_wrong_options_are_refused(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    control.ask("reexec", {"file": "/nowhere/main.py"})
    assert "No such file" in str(control.expect("error", {"op": "reexec"})["message"])
    control.ask("reexec", {"argv": ["--workers", "many"]})
    assert "--workers" in str(control.expect("error", {"op": "reexec"})["message"])


def test_new_options_change_workers_and_listeners(rootless_bed: Bed) -> None:
    control = rootless_bed.start(listen=["http=127.0.0.1:0", "old=127.0.0.2:0"]).control()
    before = control.expect("hello")
    listen = ["http=127.0.0.1:0", "https=127.0.0.1:0"]
    control.ask("reexec", {"argv": rootless_bed.argv(workers=1, listen=listen)})
    control.expect("resumed")
    control.end(0)
    after = rootless_bed.control().expect("hello")
    assert after["workers"] == 1
    assert [name for name, _, _ in after.ports] == ["http", "https"]
    assert listening(after) == listening(before)
    assert rootless_bed.accept("worker").listeners == ["http", "https"]


def test_a_new_listener_that_cannot_be_had_ends_nothing(rootless_bed: Bed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        busy = f"https=127.0.0.1:{other.getsockname()[1]}"
        control = rootless_bed.start().control()
        control.ask("reexec", {"argv": rootless_bed.argv(listen=["http=127.0.0.1:0", busy])})
        control.expect("resumed")
        assert busy in str(control.expect("error", {"op": "listen"})["message"])


def test_exits_pipes_and_snapshot_go_over_it(rootless_bed: Bed) -> None:
    control = rootless_bed.start(workers=1).control()
    control.whole()
    worker = rootless_bed.accept("worker")
    memory = os.memfd_create("snapshot")
    control.ask("snapshot", {"packet": "cGFja2V0"}, [memory])
    os.close(memory)
    control.spawn("echo last words; exit 5")
    control.expect("exit")
    rootless_bed.signal(signal.SIGHUP)
    control.expect("resumed")
    control.end(0)
    report = rootless_bed.control().expect("exit")
    assert (report["code"], report.read()) == (5, b"last words\n")
    os.kill(worker.pid, signal.SIGKILL)
    data, descriptors, _, _ = socket.recv_fds(rootless_bed.accept("worker").channel, 100, 1)
    assert (data, len(descriptors)) == (b"packet", 1)
    os.close(descriptors[0])


def test_what_control_has_not_read_goes_over_it(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    control.whole()
    count = 600  # far more than the channel holds
    for number in range(count):
        control.ask("kill", {"nothing": number})
    spawned = control.script("exec sleep 60")
    control.ask("spawn", {**spawned, "id": "web"})
    rootless_bed.signal(signal.SIGHUP)
    eventually(lambda: b"--state" in Path(f"/proc/{rootless_bed.process.pid}/cmdline").read_bytes())
    for _ in range(count):
        control.expect("error", {"op": "kill"})
    assert control.expect("spawned").descriptors
    assert control.expect("resumed")["build"] == 1


def test_who_died_during_it_is_reported_and_replaced_once(rootless_bed: Bed, tmp_path: Path) -> None:
    control = rootless_bed.start(workers=1).control()
    control.whole()
    worker = rootless_bed.accept("worker")
    one = control.spawn("exec sleep 60")
    go_on_slowly(rootless_bed, control, tmp_path)
    for pid in (worker.pid, one.number("pid"), control.pid):
        os.kill(pid, signal.SIGKILL)
    again = rootless_bed.control()
    hello, *listed, _ = again.whole()
    assert hello["build"] == 1
    told = sorted((str(event["event"]), str(event["kind"]), event["pid"]) for event in listed)
    assert told == [("exit", "instance", one["pid"]), ("exit", "worker", worker.pid)]
    assert again.expect("child", {"kind": "worker"})["pid"] == rootless_bed.accept("worker").pid
    assert again.silent(0.4)  # the back-off has passed: nobody was started twice


def test_a_stop_during_the_exec_is_honoured(rootless_bed: Bed, tmp_path: Path) -> None:
    control = rootless_bed.start().control()
    control.whole()
    go_on_slowly(rootless_bed, control, tmp_path)
    rootless_bed.signal(signal.SIGTERM)
    control.expect("stop")
    control.ask("stopped")
    assert rootless_bed.wait() == 0


def test_a_stop_during_the_check_is_a_stop(rootless_bed: Bed, tmp_path: Path) -> None:
    control = rootless_bed.start().control()
    control.whole()
    slow = copy_to(tmp_path / "new", extra="import time\ntime.sleep(5)\n")
    control.ask("reexec", {"file": str(slow)})
    assert control.spawn("exit 0")["build"] == 0  # a check that hangs keeps nobody waiting
    rootless_bed.signal(signal.SIGTERM)
    control.expect("stop")
    control.ask("stopped")
    assert rootless_bed.wait() == 0


def test_the_newest_request_counts(rootless_bed: Bed, tmp_path: Path) -> None:
    control = rootless_bed.start().control()
    control.whole()
    slow = copy_to(tmp_path / "slow", extra="import time\ntime.sleep(0.3)\n")
    newest = copy_to(tmp_path / "newest")
    control.ask("reexec", {"file": str(slow)})
    control.ask("reexec", {"file": str(slow)})
    control.ask("reexec", {"file": str(newest)})
    assert control.expect("resumed").members == {"event": "resumed", "build": 1, "file": str(newest)}


@pytest.mark.parametrize("pause", [0.0, 0.03, 0.06, 0.09, 0.12])
def test_a_stop_at_any_moment_of_a_reexec_is_honoured(rootless_bed: Bed, pause: float) -> None:
    control = rootless_bed.start().control()
    control.whole()
    rootless_bed.signal(signal.SIGHUP)
    signal.sigtimedwait([], pause)
    rootless_bed.signal(signal.SIGTERM)
    control.expect("stop")
    control.ask("stopped")
    assert rootless_bed.wait() == 0


def test_many_reexecs_under_kills_lose_nothing(rootless_bed: Bed) -> None:
    control = rootless_bed.start(workers=1).control()
    control.whole()
    one = control.spawn("exec sleep 60")
    for _ in range(3):
        rootless_bed.signal(signal.SIGHUP)
        os.kill(control.pid, signal.SIGKILL)
        control = rootless_bed.control()
        assert control.expect("child", {"id": "web"})["pid"] == one["pid"]
