"""Launch: what a child is, what it is not, and the name of the step that failed."""

import errno
import json
import os
import pwd
import resource
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from .bed import NOTHING, TOY, Bed, Control, Members, alive, bed_in, eventually, process_status

NOBODY = 65534
PROBE = """
import json, os, resource, signal, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
def to(number):
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return None
print(json.dumps({
    "uid": os.getresuid(), "gid": os.getresgid(), "groups": os.getgroups(), "umask": os.umask(0), "cwd": os.getcwd(),
    "nofile": resource.getrlimit(resource.RLIMIT_NOFILE), "nice": os.getpriority(os.PRIO_PROCESS, 0),
    "oom": int(open("/proc/self/oom_score_adj").read()), "sid": os.getsid(0), "pgid": os.getpgid(0),
    "pid": os.getpid(), "env": dict(os.environ), "argv": sys.argv[1:], "port": os.environ.get("PORT"),
    "open": [number for number in range(3, 200) if to(number) is not None], "stdin": to(0),
    "blocked": int(status["SigBlk"], 16), "ignored": int(status["SigIgn"], 16),
    "caps": [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapInh")], "nnp": int(status["NoNewPrivs"]),
}))
"""
PYTHON_IGNORES = (1 << (signal.SIGPIPE - 1)) | (1 << (signal.SIGXFSZ - 1))  # the probe's own interpreter does


def probe(control: Control, members: Mapping[str, object] = NOTHING) -> Members:
    """Spawn the probe and read what it is."""
    argv = ["/usr/bin/python3", "-IS", "-c", PROBE, "one", "two"]
    control.ask("spawn", {**control.script(""), "id": "probe", "argv": argv, **members})
    event = control.expect("spawned", {"id": "probe"})
    found: Members = json.loads(event.read())
    assert found["pid"] == event["pid"]
    return found


def test_a_child_is_clean(bed: Bed) -> None:
    found = probe(bed.start().control())
    assert found["env"] in ({"PATH": "/usr/bin:/bin"}, {"PATH": "/usr/bin:/bin", "LC_CTYPE": "C.UTF-8"})
    assert (found["argv"], found["cwd"], found["umask"]) == (["one", "two"], "/", 0o077)
    assert found["pid"] == found["sid"] == found["pgid"]
    assert (found["open"], found["stdin"]) == ([], "/dev/null")
    assert (found["blocked"], found["ignored"]) == (0, PYTHON_IGNORES)
    assert found["nnp"] == 1


def test_sigpipe_ends_a_shell_as_usual(calm_control: Control) -> None:
    calm_control.spawn("kill -PIPE $$; echo it was ignored", "pipe")
    assert calm_control.expect("exit", {"id": "pipe"})["code"] == -signal.SIGPIPE


def test_what_spawn_says_holds(rootless_bed: Bed, tmp_path: Path) -> None:
    control = rootless_bed.start().control()
    found = probe(
        control,
        {
            "cwd": str(tmp_path),
            "umask": 0o027,
            "nofile": 256,
            "oom_score_adj": 700,
            "nice": 5,
            "env": {"PORT": "20000"},
        },
    )
    assert (found["cwd"], found["umask"], found["nofile"]) == (str(tmp_path), 0o027, [256, 256])
    assert (found["oom"], found["nice"]) == (700, 5)
    assert found["port"] == "20000"


def test_nofile_above_the_hard_limit_is_the_hard_limit(calm_control: Control) -> None:
    found = probe(calm_control, {"nofile": 1 << 30})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert found["nofile"] == [hard, hard]


def test_stdin_is_the_descriptor_that_came_with_the_request(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    receiver, sender = os.pipe()
    control.ask("spawn", {**control.script("cat"), "id": "run", "kind": "task", "stdin": True}, [receiver])
    os.close(receiver)
    event = control.expect("spawned")
    os.write(sender, b"through")
    os.close(sender)
    assert (event["kind"], event.read()) == ("task", b"through")


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's process can only be made by root")
def test_an_app_is_its_user_and_nothing_more(root_bed: Bed) -> None:
    found = probe(root_bed.start().control(), {"uid": 61001, "gid": 61002, "groups": [61003, 61004]})
    assert (found["uid"], found["gid"], found["groups"]) == ([61001] * 3, [61002] * 3, [61003, 61004])
    assert (found["caps"], found["nnp"]) == ([0, 0, 0], 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's process can only be made by root")
@pytest.mark.parametrize("kind", ["instance", "task"])
def test_the_end_of_init_ends_a_child_that_changed_its_user(root_bed: Bed, kind: str) -> None:
    control = root_bed.start().control()
    event = control.spawn("exec sleep 60", "web", {"kind": kind, "uid": 61001, "gid": 61001})
    root_bed.signal(signal.SIGKILL)
    root_bed.wait()
    eventually(lambda: not alive(event.number("pid")))


def test_the_end_of_init_ends_control_workers_and_instances(bed: Bed) -> None:
    control = bed.start(workers=2).control()
    pids = [control.spawn("exec sleep 60").number("pid"), control.pid]
    pids += [bed.accept("worker").pid for _ in range(2)]
    bed.signal(signal.SIGKILL)
    bed.wait()
    eventually(lambda: not any(alive(pid) for pid in pids))


@pytest.mark.skipif(not os.access("/sys/fs/cgroup", os.W_OK), reason="cgroups are made by root")
def test_the_cgroup_is_entered_before_exec(root_bed: Bed) -> None:
    control = root_bed.start().control()
    folder = Path("/sys/fs/cgroup")
    folder = (folder if (folder / "cgroup.procs").exists() else folder / "pids") / f"tako-test-{os.getpid()}"
    folder.mkdir()
    members: Members = {"cgroups": [str(folder)], "uid": 61001, "gid": 61001}
    try:
        event = control.spawn("cat /proc/self/cgroup; read line", "web", members)
        assert folder.name.encode() in event.read()
        control.expect("exit")
    finally:
        folder.rmdir()


@pytest.mark.parametrize(
    ("members", "step", "number"),
    [
        pytest.param({"argv": ["/nowhere/app"]}, "exec /nowhere/app", errno.ENOENT, id="no program"),
        pytest.param({"argv": ["no-such-program"]}, "exec no-such-program", errno.ENOENT, id="not in PATH"),
        pytest.param({"argv": ["/etc/passwd"]}, "exec /etc/passwd", errno.EACCES, id="not executable"),
        pytest.param({"argv": ["/bin/sh", "a\0b"]}, "exec /bin/sh", errno.EINVAL, id="NUL in a word"),
        pytest.param({"env": {"A=B": "c"}}, "exec /bin/sh", errno.EINVAL, id="no name of a variable"),
        pytest.param({"cwd": "/nowhere"}, "chdir /nowhere", errno.ENOENT, id="no folder"),
        pytest.param({"cgroups": ["/nowhere"]}, "cgroup /nowhere", errno.ENOENT, id="no cgroup"),
    ],
)
def test_a_failure_names_its_step(calm_control: Control, members: Members, step: str, number: int) -> None:
    event = calm_control.spawn("", "web", members)
    assert (event["event"], event["step"], event["errno"]) == ("failed", step, number)
    assert str(event["message"]).startswith(step)
    assert calm_control.spawn("exit 0", secrets.token_hex(4))["event"] == "spawned"


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's process can only be made by root")
def test_a_folder_that_the_user_may_not_enter_is_named(root_bed: Bed) -> None:
    secret = root_bed.folder / "secret"
    secret.mkdir(mode=0o700)
    event = root_bed.start().control().spawn("", "web", {"cwd": str(secret), "uid": 61001, "gid": 61001})
    assert (event["event"], event["step"], event["errno"]) == ("failed", f"chdir {secret}", errno.EACCES)


def test_a_program_by_name_is_found_in_its_own_path(rootless_bed: Bed, tmp_path: Path) -> None:
    (tmp_path / "app").write_text("#!/bin/sh\necho here\n")
    (tmp_path / "app").chmod(0o755)
    event = rootless_bed.start().control().spawn("", "web", {"argv": ["app"], "env": {"PATH": str(tmp_path)}})
    assert event.read() == b"here\n"


def test_what_is_left_of_the_group_ends_with_its_leader(bed: Bed) -> None:
    control = bed.start().control()
    event = control.spawn("sleep 60 & echo $!; exit 0", "web", {"kind": "task"})
    control.expect("exit")
    left = int(event.read())
    eventually(lambda: not alive(left))


def test_orphans_that_left_the_group_are_reaped_and_not_reported(rootless_bed: Bed) -> None:
    control = rootless_bed.start().control()
    event = control.spawn("setsid sh -c 'echo $$; exec sleep 0.2' & sleep 0.1; exit 0")
    control.expect("exit")
    orphan = int(os.read(event.descriptors[0], 20))
    eventually(lambda: not Path(f"/proc/{orphan}").exists())
    assert control.silent()


def test_strange_descriptors_of_the_starter_reach_no_child(rootless_bed: Bed) -> None:
    receiver, sender = os.pipe()
    os.set_inheritable(sender, True)
    try:
        control = rootless_bed.start(keep=[sender]).control()
        control.spawn("exec sleep 60")
        os.close(sender)
        sender = -1
        assert os.read(receiver, 1) == b""  # nobody holds the other end
    finally:
        os.close(receiver)
        if sender >= 0:
            os.close(sender)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_init_works_for_a_user_without_any_right(open_folder: Path) -> None:
    with bed_in(open_folder, rootless=True, user=NOBODY) as bed:
        control = bed.start_with([word for word in bed.argv(workers=1) if word != "--rootless"]).control()
        assert control.expect("hello")["rootless"] is True
        assert control.spawn("id -u", "web", {"kind": "task"}).read() == f"{NOBODY}\n".encode()
        assert process_status(control.pid)["NoNewPrivs"] == "1"
        assert bed.accept("worker").listeners == ["http"]
        refused = control.spawn("", "urgent", {"nice": -5})
        assert (refused["event"], refused["step"], refused["errno"]) == ("failed", "nice", errno.EACCES)
        bed.signal(signal.SIGHUP)
        assert control.expect("resumed")["build"] == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_worker_is_its_user_and_has_no_right(root_bed: Bed) -> None:
    argv = root_bed.argv("--worker-user", "nobody", workers=1)
    argv[argv.index("--worker") + 1] = json.dumps(["/usr/bin/python3", "-IS", "-c", TOY.read_text(), "worker"])
    control = root_bed.start_with(argv).control()
    worker = root_bed.accept("worker")
    status = process_status(worker.pid)
    assert status["Uid"].split() == [str(NOBODY)] * 4
    assert status["Gid"].split() == [str(pwd.getpwnam("nobody").pw_gid)] * 4
    assert status["Groups"] == ""
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapInh")} == {0}
    assert status["NoNewPrivs"] == "1"
    root_bed.signal(signal.SIGKILL)
    eventually(lambda: not alive(worker.pid))
    assert control.pid != worker.pid
