"""The example that the help of each verb ends with does what it says, on a real server, at a real terminal."""

import shlex
import shutil
from pathlib import Path

import pytest

from tako_modules.cli import table
from tests.docs import verbs
from tests.kit.container import Container
from tests.kit.desk import Desk
from tests.kit.terminal import on_terminal

HELLO = Path(__file__).resolve().parents[2] / "docs" / "examples" / "hello" / "server.py"
ADDRESS = "203.0.113.7"  # of the examples; the SSH configuration leads it to the test's server
SECONDS = 90
REFUSED = {"servers upgrade": 2}
ORDER = (
    "servers add", "init", "deploy", "status", "logs", "releases", "scale", "restart", "rollback", "stop", "start",
    "delete", "servers ls", "servers status", "servers restart", "servers upgrade", "servers uninstall", "servers rm",
)  # fmt: skip
FOREGROUND = "serve"
CONNECT = "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 8443)).close()' 2> /dev/null"


@pytest.fixture
def person(server: Container, tako_pyz: Path, tmp_path: Path) -> Desk:
    """Somebody with the project of the examples, whose SSH knows the address in them."""
    made = Desk(tako_pyz, tmp_path, server.key)
    folder = tmp_path / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "config").write_text(f"Host {ADDRESS}\n  HostName 127.0.0.1\n  Port {server.ssh_port}\n")
    names = (ADDRESS, f"[{ADDRESS}]:{server.ssh_port}", f"[127.0.0.1]:{server.ssh_port}")
    (folder / "known_hosts").write_text("".join(f"{name} {server.host_key}\n" for name in names))
    (tmp_path / "shop").mkdir()
    return made


def prepare(verb: str, folder: Path) -> None:
    """Have the project be what the example of a verb takes for granted."""
    file = folder / "tako.toml"
    if verb == "deploy":
        shutil.copy(HELLO, folder / "server.py")
        file.write_text(file.read_text().replace('["./run", "{port}"]', '["python3", "server.py"]'))
    elif verb == "delete":
        text = file.read_text().replace('\nenv = "production"', '\nenv = "staging"')
        file.write_text(f'{text}\n[envs.staging]\nroute = "staging.example.com"\n')


def type_in(person: Desk, line: str) -> tuple[int, str]:
    """Type a line of the help, and yes to what is asked."""
    argv = [*person.argv(), *shlex.split(line)[1:]]
    seen = on_terminal(argv, env=person.env(), cwd=person.root / "shop", seconds=SECONDS, typed=b"y\ny\n")
    return seen.code, seen.raw


def test_every_example_works(person: Desk, server: Container) -> None:
    assert {*ORDER, FOREGROUND} == table.VERBS.keys()
    folder = person.root / "shop"
    for verb in ORDER:
        prepare(verb, folder)
        code, shown = type_in(person, verbs.example_of(verb))
        assert code == REFUSED.get(verb, 0), f"{verb}: {shown[-3000:]}"
        if verb == "scale":  # for `rollback`, which needs somewhere to go back to
            (folder / "note.txt").write_text("a second version")
            code, shown = type_in(person, verbs.example_of("deploy"))
            assert code == 0, shown[-3000:]


def test_the_example_of_serve_serves(server_with_file: Container) -> None:
    line = verbs.example_of(FOREGROUND)
    begin = f"mkdir /tmp/home; HOME=/tmp/home timeout {SECONDS} {line} & pid=$!"
    look = f"for i in $(seq 200); do {CONNECT} && break; sleep 0.1; done; {CONNECT}; code=$?"
    done = server_with_file.exec(["sh", "-c", f"{begin}; {look}; kill $pid; wait; exit $code"], user="nobody")
    assert done.code == 0
