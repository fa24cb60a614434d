"""Whose a port is: tables of the kernel, real listeners, and the child that looks as the app."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tako_modules.base.errors import TakoError
from tako_modules.supervisor import ports
from tako_modules.supervisor.ports import Listener, Owned, Ownership

ROOT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"  # the machine's own: another user may not be able to run the tests' interpreter
NOBODY = 65534
APP = 3_900_000_001  # a uid that no machine has
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4E2B 00000000:0000 0A 00000000:00000000 00:00000000 00000000 60001        0 4711 1 0000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000 100 0 0 10 0
   2: 0100007F:4E2B 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000 60001        0 4713 1 0000 20 4 0 10 -1
   3: broken
"""
COUNTS = "00000000:00000000 00:00000000 00000000"  # queues, timer, retransmits: nobody reads them
TCP6 = f"""  sl  local_address  remote_address  st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:4E2B {"0" * 32}:0000 0A {COUNTS} 60001 0 5001 1
   1: 0000000000000000FFFF00000100007F:4E2C {"0" * 32}:0000 0A {COUNTS} 60001 0 5002 1
   2: 00000000000000000000000001000000:4E2D {"0" * 32}:0000 0A {COUNTS}     0 0 5003 1
"""


@pytest.mark.skipif(sys.byteorder == "big", reason="the sample was taken on a little-endian machine")
def test_the_kernels_tables() -> None:
    assert ports.parse_table(TCP) == (
        Listener("127.0.0.1", 20011, 60001, 4711),
        Listener("0.0.0.0", 22, 0, 4712),
    )
    assert ports.parse_table(TCP6) == (
        Listener("::", 20011, 60001, 5001),
        Listener("127.0.0.1", 20012, 60001, 5002),
        Listener("::1", 20013, 0, 5003),
    )


def own(address: str = "127.0.0.1", port: int = 20011, uid: int = APP, inode: int = 1) -> Listener:
    return Listener(address, port, uid, inode)


def mine(*rows: Listener) -> tuple[Owned, ...]:
    return tuple(Owned(77, row.address, row.port, row.inode) for row in rows)


ANY, SIX, FAR = own("0.0.0.0"), own("::"), own("10.0.0.5", inode=9)
FOREIGN = own(uid=0, inode=2)
SIBLING = own(inode=2)
OTHER_PORT = own(port=3000, inode=3)
SIX_ONLY = own("::1", inode=4)


@pytest.mark.parametrize(
    ("table", "owned", "expected"),
    [
        ([own()], mine(own()), Ownership(ok=True)),
        ([ANY], mine(ANY), Ownership(ok=True, wildcard=True)),
        ([SIX], mine(SIX), Ownership(ok=True, wildcard=True)),
        ([own(), OTHER_PORT], mine(own(), OTHER_PORT), Ownership(ok=True, elsewhere=("127.0.0.1:3000",))),
        ([own(), FAR], mine(own()), Ownership(ok=True)),
        ([], (), Ownership(ok=False)),
        ([OTHER_PORT], mine(OTHER_PORT), Ownership(ok=False, elsewhere=("127.0.0.1:3000",))),
        ([SIX_ONLY], mine(SIX_ONLY), Ownership(ok=False, elsewhere=("[::1]:20011",))),
    ],
    ids=["own", "any", "any of IPv6", "another too", "elsewhere another's", "none", "another port", "IPv6 alone"],
)
def test_verdicts(table: list[Listener], owned: tuple[Owned, ...], expected: Ownership) -> None:
    assert ports.judge(table, 20011, APP, owned) == expected


@pytest.mark.parametrize(
    ("table", "owned", "held"),
    [
        ([FOREIGN], (), "port 20011 is held by a process of the user root (it listens on 127.0.0.1:20011)"),
        ([FOREIGN], mine(FOREIGN), "port 20011 is held by a process of the user root (it listens on 127.0.0.1:20011)"),
        ([SIBLING], (), f"port 20011 is held by another process of uid {APP} (it listens on 127.0.0.1:20011)"),
        ([ANY, FOREIGN], mine(ANY), "port 20011 is held by a process of the user root (it listens on 127.0.0.1:20011)"),
    ],
    ids=["another user", "a forged report", "another process of the app", "a narrower listener beside"],
)
def test_strangers(table: list[Listener], owned: tuple[Owned, ...], held: str) -> None:
    found = ports.judge(table, 20011, APP, owned)
    assert not found.ok
    assert found.held == found.words(20011) == held


def test_words() -> None:
    assert Ownership(ok=True).words(20011) == ""
    assert Ownership(ok=False).words(20011) == "does not listen on 127.0.0.1:20011 yet"
    elsewhere = Ownership(ok=False, elsewhere=("127.0.0.1:3000",))
    assert elsewhere.words(20011) == "listens on 127.0.0.1:3000 instead of $PORT 20011"


LISTENING = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    os.setsid()
    grandchild = socket.create_server(("127.0.0.1", 0))
    os.write(1, f"{grandchild.getsockname()[1]} ".encode())
    sys.stdin.read()
    os._exit(0)
os.write(1, f"{listener.getsockname()[1]} ".encode())
sys.stdin.read()
os.wait()
"""


@contextmanager
def program(user: int | None = None) -> Iterator[tuple[int, set[int]]]:
    """Run a session leader with a listener and a descendant in another session with another; gives pid and ports."""
    process = subprocess.Popen(
        [PYTHON, "-IS", "-c", LISTENING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        user=user,
    )
    assert process.stdin
    assert process.stdout
    try:
        found: set[int] = set()
        said = b""
        while len(found) < 2:
            said += os.read(process.stdout.fileno(), 100)
            found = {int(word) for word in said.split(b" ")[:-1]}
        yield process.pid, found
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


def test_listeners_of_a_process_and_its_descendants() -> None:
    with program() as (pid, expected), socket.create_server(("127.0.0.1", 0)) as stranger:
        owned = ports.owned_by(pid)
        table = ports.listeners()
        assert {one.port for one in owned} == expected
        port = min(expected)
        assert ports.judge(table, port, os.geteuid(), owned).ok
        assert ports.judge(table, stranger.getsockname()[1], os.geteuid(), owned).held


def test_a_process_that_has_ended_has_none() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert ports.owned_by(process.pid) == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_the_child_looks_as_the_app() -> None:
    look = "import sys; from tako_modules.supervisor import ports; ports.print_owned(int(sys.argv[1]))"
    with program(user=NOBODY) as (pid, expected):
        done = subprocess.run(
            [PYTHON, "-c", look, str(pid)], cwd=ROOT, user=NOBODY, capture_output=True, text=True, check=True
        )
        owned = ports.read_report(done.stdout)
        assert {one.port for one in owned} == expected
        found = ports.judge(ports.listeners(), min(expected), NOBODY, owned)
    assert found.ok


@pytest.mark.parametrize("text", ["oh no", "[1]", '{"pid": 1}', '{"pid":"x","address":"a","port":1,"inode":1}'])
def test_a_report_that_is_none(text: str) -> None:
    with pytest.raises(TakoError, match="printed"):
        ports.read_report(text)
