"""What an app is given arrives as it was written, and what is another's stays out of its reach."""

import json
from pathlib import Path

import pytest

from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.projects import project

SPY = (Path(__file__).resolve().parents[1] / "kit" / "apps" / "spy" / "app.py").read_text()
APPS = "/opt/tako/apps"
VALUES = {
    "QUOTES": "a'b\"c`d\\e 'f'",
    "MONEY": "$HOME ${PATH} $(id) %s %% !x #y",
    "LINES": "one\n\ttwo\r\n\nlast\n",
    "FACE": "🐙 ü \u00a0",
    "EMPTY": "",
    "BIG": "".join(chr(33 + index % 90) for index in range(16384)),
}


@pytest.fixture(scope="module")
def desk(desk: Desk, machine: Container) -> Desk:
    """The computer in front of it: `spy` and `victim` run there when this returns."""
    desk.certify(machine, "spy.bed.test", "victim.bed.test")
    for name in ("spy", "victim"):
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in VALUES.items()]
        folder = project(name, desk.root / name, *lines)
        (folder / "app.py").write_text(SPY)
        desk.deploy(folder)
    return desk


def ask(desk: Desk, machine: Container, path: str, *options: str) -> object:
    done = desk.curl(machine, f"https://spy.bed.test{path}", *options)
    assert done.code == 0, done.err
    found: object = json.loads(done.out)
    return found


def others(desk: Desk, machine: Container) -> dict[str, str]:
    """The processes that are not the spy's, by what they are."""
    [victim] = desk.status(desk.root / "victim")["la"].instances
    words = {"control": "__control__", "worker": "__worker__", "init": "server/init/main.py"}
    found = {"victim": str(victim.pid)}
    for line in machine.exec(["ps", "-eo", "pid=,args=", "-ww"]).out.splitlines():
        pid, args = line.split(None, 1)
        found |= {name: pid for name, word in words.items() if word in args.split(" --", 1)[0]}
    assert found.keys() == {"victim", *words}
    return found


def test_variables_arrive_byte_for_byte(desk: Desk, machine: Container) -> None:
    seen = ask(desk, machine, "/env")
    assert isinstance(seen, dict)
    assert {name: seen.get(name) for name in VALUES} == VALUES
    assert (seen["TAKO_APP"], seen["TAKO_ENV"], seen["HOST"]) == ("spy", "production", "127.0.0.1")
    assert seen["HOME"] == seen["TAKO_DATA_DIR"] == f"{APPS}/spy/shared/data"


def test_an_app_has_no_rights(desk: Desk, machine: Container) -> None:
    seen = ask(desk, machine, "/self")
    assert isinstance(seen, dict)
    [uid] = set(str(seen["Uid"]).split())
    assert int(uid) >= 60000
    assert set(str(seen["Gid"]).split()) == {uid}
    assert str(seen["Groups"]).split() in ([uid], [])
    assert (int(seen["CapEff"], 16), int(seen["CapPrm"], 16), seen["NoNewPrivs"]) == (0, 0, "1")
    assert seen["umask"] == 0o077
    assert max(seen["descriptors"]) < 8, "listener, a connection, and what lists them"


def test_an_app_reaches_nothing_of_another_or_of_the_server(desk: Desk, machine: Container) -> None:
    found = others(desk, machine).values()
    version = machine.exec(["readlink", f"{APPS}/victim/current"]).out.strip()
    machine.shell(f"echo secret > {APPS}/victim/shared/data/kept; chmod 644 {APPS}/victim/shared/data/kept")
    attempts = [
        *(("read", f"{APPS}/victim/{path}") for path in ("current/app.py", f"{version}/.env", "shared/data/kept")),
        *(
            ("list", f"{APPS}/victim{path}")
            for path in ("", "/releases", "/shared/data", "/shared/logs", "/.deploy_lock")
        ),
        *(
            ("list", f"/opt/tako/{path}")
            for path in ("certs", "uploads", "logs", "access", "tmp/victim", "cache/victim")
        ),
        *(("list", path) for path in ("/home/tako", "/home/tako/.ssh", "/run/tako", "/root")),
        ("link", f"{APPS}/victim/current"),
        ("read", "/opt/tako/runtime-state.sqlite3"),
        ("read", "/opt/tako/runtime-state.sqlite3-wal"),
        ("query", "/opt/tako/runtime-state.sqlite3"),
        ("read", "/opt/tako/certs/victim.bed.test/privkey.pem"),
        ("read", "/opt/tako/control.lock"),
        ("connect", "/run/tako/tako.sock"),
        ("connect", "/var/run/tako/tako.sock"),
        *(("read", f"/proc/{pid}/{what}") for pid in found for what in ("environ", "mem")),
        *(("link", f"/proc/{pid}/cwd") for pid in found),
        *(("signal", pid) for pid in found),
        *(("attach", pid) for pid in found),
        ("append", f"{APPS}/spy/current/app.py"),
        ("append", f"{APPS}/spy/current/new.py"),
        ("append", f"{APPS}/spy/current/.env"),
        ("append", f"{APPS}/spy/new"),
        ("append", "/opt/tako/bin/current/tako.pyz"),
        ("append", "/opt/tako/bin/new"),
        ("append", "/usr/local/bin/tako"),
        ("append", "/etc/systemd/system/tako.service"),
        ("append", "/etc/default/tako"),
        ("become", "0"),
    ]
    seen = ask(desk, machine, "/", "--data", json.dumps(attempts))
    assert isinstance(seen, list)
    refused = {"EACCES", "EPERM", "unable to open database file"}
    assert {tuple(one): end for one, end in zip(attempts, seen, strict=True) if end not in refused} == {}


def test_an_app_writes_where_it_may(desk: Desk, machine: Container) -> None:
    places = [f"{APPS}/spy/shared/data/kept", f"{APPS}/spy/shared/logs/own.log", "/opt/tako/tmp/spy/temporary"]
    seen = ask(desk, machine, "/", "--data", json.dumps([("append", place) for place in places]))
    assert seen == ["got: opened for writing"] * 3
