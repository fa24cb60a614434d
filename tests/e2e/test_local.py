"""The built file on one machine: deploy, look, change, go back, fail and delete, over real TLS."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from tako_modules.protocol.replies import StatusData
from tests.kit.local import Local
from tests.kit.projects import local_project, project

LATE = """
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(self.path == "/late")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path[1:].encode())
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""


def deploy(local: Local, folder: Path, *options: str) -> str:
    """Deploy and give the version."""
    return local.deploy(folder, *options).version


def status(local: Local, folder: Path) -> StatusData:
    """What `status --json` tells of the one server."""
    return local.status(folder)["local"]


def test_a_deploy_answers_over_verified_tls_and_plain_http_is_sent_there(local: Local, tmp_path: Path) -> None:
    app = local_project("first", tmp_path / "first")
    version = deploy(local, app)
    answer = local.curl(f"https://first.localhost:{local.https}/", "-i")
    assert answer.code == 0, answer.err
    assert f"x-version: {version}" in answer.out.lower()
    moved = local.curl(f"http://first.localhost:{local.http}/a?b=c%20d", "-i")
    assert " 308 " in moved.out.splitlines()[0]
    assert f"location: https://first.localhost:{local.https}/a?b=c%20d" in moved.out.lower()
    assert local.curl(f"https://other.localhost:{local.https}/").code != 0


def test_variables_arrive_byte_for_byte(local: Local, tmp_path: Path) -> None:
    values = {
        "QUOTES": "a'b\"c`d\\e",
        "MONEY": "$HOME ${PATH} $(id)",
        "LINES": "one\ntwo\n",
        "FACE": "🐙 ü",
        "BIG": "x" * 16384,
    }
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    app = local_project("vars", tmp_path / "vars", *lines)
    deploy(local, app)
    seen = json.loads(local.curl(f"https://vars.localhost:{local.https}/env").out)
    assert {name: seen[name] for name in values} == values
    assert seen["TAKO_APP"] == "vars"
    assert seen["HOST"] == "127.0.0.1"


def test_a_second_version_replaces_the_first_and_rollback_brings_it_back(local: Local, tmp_path: Path) -> None:
    app = local_project("back", tmp_path / "back", 'GREETING = "one"')
    first = deploy(local, app)
    (app / "note.txt").write_text("changed")
    second = deploy(local, app)
    assert second != first
    assert status(local, app).version == second
    back = local.tako("rollback", "--json", cwd=app)
    assert back.code == 0, back.err
    assert status(local, app).version == first
    assert first in local.curl(f"https://back.localhost:{local.https}/", "-i").out
    current = local.data / "apps" / "back" / "current"
    assert str(current.readlink()) == f"releases/{first}"


def test_the_receipt_tells_the_longest_wait_of_its_own_time(local: Local, tmp_path: Path) -> None:
    app = local_project("waits", tmp_path / "waits", start='start = ["python3", "late.py"]')
    (app / "late.py").write_text(LATE)
    deploy(local, app)
    assert local.curl(f"https://waits.localhost:{local.https}/late").out == "late"
    assert status(local, app).requests.longest_wait >= 1000
    [again] = local.deploy(app).servers
    assert again.deployed is not None
    assert again.deployed.receipt.requests.longest_wait < 1000


def test_rollback_takes_no_route_that_is_another_apps_now(local: Local, tmp_path: Path) -> None:
    app = local_project("before", tmp_path / "before")
    first = deploy(local, app)
    project("before", app, host="after.localhost", servers=("local",))
    (app / "note.txt").write_text("changed")
    second = deploy(local, app)
    project("heir", tmp_path / "heir", host="before.localhost", servers=("local",))
    heir = deploy(local, tmp_path / "heir")
    back = local.tako("rollback", first, cwd=app)
    assert back.code == 1
    assert "the route before.localhost is taken by heir" in back.err
    assert status(local, app).version == second
    assert heir in local.curl(f"https://before.localhost:{local.https}/", "-i").out


def test_the_same_version_again_is_a_restart(local: Local, tmp_path: Path) -> None:
    app = local_project("same", tmp_path / "same")
    assert deploy(local, app) == deploy(local, app)
    [instance] = status(local, app).instances
    assert instance.id == 2


def test_a_killed_control_loses_no_instance_and_answers_again(local: Local, tmp_path: Path) -> None:
    app = local_project("kill", tmp_path / "kill")
    deploy(local, app)
    before = status(local, app)
    info = local.tako("servers", "status", "local", "--json").document
    found = re.search(r'"control":\s*(\d+)', json.dumps(info))
    assert found is not None, info
    os.kill(int(found[1]), signal.SIGKILL)
    after = status(local, app)
    assert [one.pid for one in after.instances] == [one.pid for one in before.instances]
    deploy(local, app)


def test_an_on_demand_app_sleeps_and_is_woken_by_its_first_request(local: Local, tmp_path: Path) -> None:
    app = local_project("nap", tmp_path / "nap", tail="instances = 0\nidle_timeout = 2")
    version = deploy(local, app)
    end = time.monotonic() + 20
    while status(local, app).state != "idle":
        assert time.monotonic() < end
    answer = local.curl(f"https://nap.localhost:{local.https}/", "-i")
    assert " 200" in answer.out.splitlines()[0]
    assert version in answer.out


def test_a_sleeping_app_that_cannot_start_answers_502_and_says_why(local: Local, tmp_path: Path) -> None:
    start = """start = ["sh", "-c", 'test ! -e "$TAKO_DATA_DIR/broken" && exec python3 app.py']"""
    app = local_project("ill", tmp_path / "ill", start=start, tail="instances = 0\nidle_timeout = 1")
    deploy(local, app)
    end = time.monotonic() + 20
    while status(local, app).state != "idle":
        assert time.monotonic() < end
    broken = local.data / "apps" / "ill" / "shared" / "data" / "broken"
    broken.touch()
    answer = local.curl(f"https://ill.localhost:{local.https}/", "-i")
    assert " 502" in answer.out.splitlines()[0]
    assert "exited with code 1" in status(local, app).last_error
    broken.unlink()
    end = time.monotonic() + 20
    while " 200" not in local.curl(f"https://ill.localhost:{local.https}/", "-i").out[:20]:
        assert time.monotonic() < end


def test_stopped_it_answers_503_and_started_it_answers_again(local: Local, tmp_path: Path) -> None:
    app = local_project("halt", tmp_path / "halt")
    deploy(local, app)
    assert local.tako("stop", "--yes", cwd=app).code == 0
    assert " 503" in local.curl(f"https://halt.localhost:{local.https}/", "-i").out.splitlines()[0]
    assert local.tako("start", cwd=app).code == 0
    assert " 200" in local.curl(f"https://halt.localhost:{local.https}/", "-i").out.splitlines()[0]


def test_deleted_it_leaves_only_its_data_in_the_trash(local: Local, tmp_path: Path) -> None:
    app = local_project("gone", tmp_path / "gone")
    deploy(local, app)
    data = local.data / "apps" / "gone" / "shared" / "data"
    (data / "kept.txt").write_text("precious")
    done = local.tako("delete", "--yes", "--json", cwd=app)
    assert done.code == 0, done.err
    assert not (local.data / "apps" / "gone").exists()
    [trash] = (local.data.parent / "data-trash").glob("gone-*")
    assert (trash / "kept.txt").read_text() == "precious"
    assert local.tako("status", cwd=app).code == 1


def test_ctrl_c_during_the_rollout_restores_what_was(local: Local, tmp_path: Path) -> None:
    app = local_project("stopped-app", tmp_path / "stop")
    first = deploy(local, app)
    local_project("stopped-app", app, 'BOOT_SECONDS = "8"')
    running = subprocess.Popen(
        local.argv("deploy", "--yes"), cwd=app, env=local.env(), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert running.stderr is not None
    for line in running.stderr:
        if b"starting instance" in line:
            break
    running.send_signal(signal.SIGINT)
    words = running.stderr.read().decode()
    running.stderr.close()
    assert running.wait(60) == 5, words
    assert status(local, app).version == first
    assert len(list((local.data / "apps" / "stopped-app" / "releases").iterdir())) == 1
    local_project("stopped-app", app, 'NEXT = "1"')
    deploy(local, app)
