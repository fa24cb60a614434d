"""A deploy that cannot be good says why, changes nothing, and does not stand in the way of the next one."""

import json
import os
import re
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tako_modules.model.deployment import Counters
from tako_modules.protocol.replies import StatusData
from tests.kit.local import Local, local_server, write_app
from tests.kit.spoken import assert_spoken

FAILED = 1
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


@pytest.fixture(scope="module")
def local(tako_pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """One server for the tests of this module; each deploys apps of its own."""
    with local_server(tako_pyz, tmp_path_factory.mktemp("local")) as made:
        yield made


class _Server(msgspec.Struct, frozen=True):
    server: str
    result: StatusData


class _Document(msgspec.Struct, frozen=True):
    servers: tuple[_Server, ...]


def status(local: Local, folder: Path) -> StatusData:
    """What `status --json` tells, without what may differ: uptime, counters, and why the last attempt failed."""
    done = local.tako("status", "--json", cwd=folder)
    assert done.code == 0, done.err
    [server] = msgspec.json.decode(done.out, type=_Document).servers
    state = server.result
    quiet = tuple(
        msgspec.structs.replace(one, uptime_secs=0.0, requests_total=0, in_flight=0) for one in state.instances
    )
    builds = tuple(
        msgspec.structs.replace(
            one,
            requests=Counters(),
            instances=tuple(
                msgspec.structs.replace(each, uptime_secs=0.0, requests_total=0, in_flight=0) for each in one.instances
            ),
        )
        for one in state.builds
    )
    return msgspec.structs.replace(state, instances=quiet, builds=builds, requests=Counters(), last_failure=None)


def routes(local: Local, app: str) -> object:
    """What the management socket answers to `routes`, of one app."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(str(local.home / "local" / "tako.sock"))
        asked.sendall(b'{"command": "routes"}\n')
        with asked.makefile("rb") as lines:
            answer = json.loads(lines.readline())
    assert answer["status"] == "ok", answer
    return [one for one in answer["data"]["routes"] if one["app"] == app]


def listing(local: Local, app: str) -> frozenset[tuple[object, ...]]:
    """Everything below an app's folder but its logs: path, mode, owner, size, time, link."""
    root = local.data / "apps" / app
    found: list[tuple[object, ...]] = []
    for folder, names, files in os.walk(root):
        if Path(folder) == root / "shared":
            names.remove("logs")
        for name in (*names, *files):
            path = Path(folder, name)
            seen = path.lstat()
            link = str(path.readlink()) if path.is_symlink() else ""
            plain = stat.S_ISREG(seen.st_mode)
            found.append(
                (
                    str(path.relative_to(root)),
                    stat.filemode(seen.st_mode),
                    seen.st_uid,
                    seen.st_gid,
                    seen.st_size if plain else 0,
                    seen.st_mtime_ns if plain else 0,
                    link,
                )
            )
    return frozenset(found)


@dataclass(frozen=True)
class Everything:
    """All that a bad deploy must leave as it was."""

    status: StatusData
    routes: object
    files: frozenset[tuple[object, ...]]


def everything(local: Local, folder: Path, app: str) -> Everything:
    """Look at all of it."""
    return Everything(status(local, folder), routes(local, app), listing(local, app))


def assert_same(after: Everything, before: Everything) -> None:
    """Nothing is different."""
    assert after.files ^ before.files == frozenset()
    assert after == before


def good(local: Local, folder: Path) -> str:
    """Deploy, which must succeed; gives the version."""
    done = local.tako("deploy", "--yes", "--json", cwd=folder)
    assert done.code == 0, done.err
    return str(done.document["version"])


@pytest.mark.parametrize("name", CASES)
def test_a_bad_deploy_explains_itself_and_leaves_everything_as_it_was(name: str, local: Local, tmp_path: Path) -> None:
    case, app = CASES[name], "bad-" + re.sub("[^a-z0-9]", "", name)
    folder = write_app(tmp_path / app, app)
    good(local, folder)
    before = everything(local, folder, app)
    write_app(folder, app, *case.lines, top=case.top, servers=f"[health]\n{case.health}")
    if case.program:
        (folder / "app.py").write_text(case.program)
    done = local.tako("deploy", "--yes", cwd=folder)
    assert_spoken(done, FAILED, *case.words)
    if case.last is not None:
        shown = [int(number) for number in LINES.findall(done.err)]
        assert shown[-20:] == list(range(case.last - 19, case.last + 1)), done.err
    assert_same(everything(local, folder, app), before)
    write_app(folder, app, 'AGAIN = "yes"')
    version = good(local, folder)
    assert f"x-version: {version}" in local.curl(f"https://{app}.localhost:{local.https}/", "-i").out.lower()


def test_requirements_that_cannot_be_installed_leave_everything_as_it_was(local: Local, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "wheels", "wheels")
    good(local, folder)
    before = everything(local, folder, "wheels")
    text = (folder / "tako.toml").read_text().replace('"command"', '"python"')
    (folder / "tako.toml").write_text(text)
    (folder / "requirements.txt").write_text(f"six==1.16.0 --hash=sha256:{'0' * 64}\n")
    done = local.tako("deploy", "--yes", cwd=folder)
    assert_spoken(done, FAILED, "rule:", "exit:   1", "six==1.16.0")
    assert_same(everything(local, folder, "wheels"), before)
    write_app(folder, "wheels", 'AGAIN = "yes"')
    good(local, folder)
