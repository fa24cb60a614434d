"""A deploy that cannot be good says why, changes nothing, and does not stand in the way of the next one."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tako_modules.model.deployment import Counters
from tako_modules.protocol.replies import StatusData
from tests.kit import desk as desks
from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.projects import project
from tests.kit.spoken import assert_spoken

FAILED = 1
SOCKET = "/run/tako/tako.sock"
ASK = """
import socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect(sys.argv[1])
asked.sendall(sys.argv[2].encode() + b"\\n")
print(asked.makefile().readline())
"""
APPS = Path(__file__).resolve().parents[1] / "kit" / "apps"
TALK = "import sys, time\nfor number in range(40): print(f'line {number}', flush=True)\n"
LINES = re.compile(r"^    line (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """What is wrong, and the words that must be told.

    program: talks instead of the app; lines: `[vars]`; top, health: further keys; last: of the log lines shown.
    """

    words: tuple[str, ...]
    program: str = ""
    lines: tuple[str, ...] = ()
    top: str = ""
    health: str = ""
    last: int | None = None


CASES = {
    "exits at start": Case(("rule:", "exit:   3"), program=TALK + "sys.exit(3)", last=39),
    "exits after a second": Case(("rule:", "exit:   4"), program=TALK + "time.sleep(1)\nsys.exit(4)", last=39),
    "never listens": Case(("rule:", "within 3 s"), program=TALK + "time.sleep(600)", health="timeout = 3", last=39),
    "listens after 40 s": Case(("rule:", "within 30 s"), lines=('BOOT_SECONDS = "40"',)),
    "listens on a wrong port": Case(
        ("rule:", "127.0.0.1:29997"),
        program=TALK + "import socket\nlistener = socket.create_server(('127.0.0.1', 29997))\ntime.sleep(600)",
        health="timeout = 3",
        last=39,
    ),
    "answers 500": Case(
        ("rule:", "status: 500", "body:", "as it was told"),
        program=TALK + (APPS / "failing" / "app.py").read_text(),
        health="timeout = 3",
        last=39,
    ),
    "release command fails": Case(
        ("rule:", "exit:   7", "nothing was changed"),
        top="release = 'for i in $(seq 0 39); do echo \"line $i\"; done; exit 7'",
        last=39,
    ),
}


def status(desk: Desk, folder: Path) -> StatusData:
    """What `status --json` tells, without what may differ: uptime, counters, and why the last attempt failed."""
    state = desk.status(folder)["la"]
    quiet = tuple(msgspec.structs.replace(one, uptime_secs=0.0, in_flight=0) for one in state.instances)
    builds = tuple(
        msgspec.structs.replace(
            one,
            requests=Counters(),
            instances=tuple(msgspec.structs.replace(each, uptime_secs=0.0, in_flight=0) for each in one.instances),
        )
        for one in state.builds
    )
    return msgspec.structs.replace(state, instances=quiet, builds=builds, requests=Counters(), last_failure=None)


def routes(machine: Container, app: str) -> object:
    """What the management socket answers to `routes`, of one app."""
    answer = json.loads(machine.exec(["python3", "-c", ASK, SOCKET, json.dumps({"command": "routes"})]).out)
    assert answer["status"] == "ok", answer
    return [one for one in answer["data"]["routes"] if one["app"] == app]


def listing(machine: Container, app: str) -> frozenset[str]:
    """Everything below an app's folder but its logs: path, kind, mode, owner, size, link."""
    root = f"/opt/tako/apps/{app}"
    lines = desks.tree(machine, root).splitlines()
    assert any(line.startswith(f"{root}/releases/") for line in lines)
    return frozenset(line for line in lines if not line.startswith(f"{root}/shared/logs/"))


@dataclass(frozen=True)
class Everything:
    """All that a bad deploy must leave as it was."""

    status: StatusData
    routes: object
    files: frozenset[str]


def everything(desk: Desk, machine: Container, folder: Path, app: str) -> Everything:
    """Look at all of it."""
    return Everything(status(desk, folder), routes(machine, app), listing(machine, app))


def assert_same(after: Everything, before: Everything) -> None:
    """Nothing is different."""
    assert after.files ^ before.files == frozenset()
    assert after == before


def assert_live(desk: Desk, machine: Container, app: str, version: str) -> None:
    """Requests are answered by this version."""
    answer = desk.curl(machine, f"https://{app}.bed.test/", "-i", "--retry", "5", "--retry-all-errors")
    assert f"x-version: {version}" in answer.out.lower(), answer


@pytest.mark.parametrize("name", CASES)
def test_a_bad_deploy_explains_itself_and_leaves_everything_as_it_was(
    name: str, desk: Desk, machine: Container, tmp_path: Path
) -> None:
    case, app = CASES[name], "bad-" + re.sub("[^a-z0-9]", "", name)
    desk.certify(machine, f"{app}.bed.test")
    folder = project(app, tmp_path / app)
    first = desk.deploy(folder).version
    before = everything(desk, machine, folder, app)
    project(app, folder, *case.lines, top=case.top, tail=f"[health]\n{case.health}")
    if case.program:
        (folder / "app.py").write_text(case.program)
    done = desk.tako("deploy", "--yes", cwd=folder)
    assert_spoken(done, FAILED, *case.words)
    if case.last is not None:
        shown = [int(number) for number in LINES.findall(done.err)]
        assert shown[-20:] == list(range(case.last - 19, case.last + 1)), done.err
    assert_same(everything(desk, machine, folder, app), before)
    assert_live(desk, machine, app, first)
    project(app, folder, 'AGAIN = "yes"')
    assert_live(desk, machine, app, desk.deploy(folder).version)


def test_requirements_that_cannot_be_installed_leave_everything_as_it_was(
    desk: Desk, machine: Container, tmp_path: Path
) -> None:
    folder = project("wheels", tmp_path / "wheels")
    desk.deploy(folder)
    before = everything(desk, machine, folder, "wheels")
    text = (folder / "tako.toml").read_text().replace('"command"', '"python"')
    (folder / "tako.toml").write_text(text)
    (folder / "requirements.txt").write_text(f"six==1.16.0 --hash=sha256:{'0' * 64}\n")
    done = desk.tako("deploy", "--yes", cwd=folder)
    assert_spoken(done, FAILED, "rule:", "exit:   1", "six==1.16.0")
    assert_same(everything(desk, machine, folder, "wheels"), before)
    project("wheels", folder, 'AGAIN = "yes"')
    desk.deploy(folder)
