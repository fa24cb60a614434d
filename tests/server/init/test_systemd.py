"""systemd: notifications in their order, and the descriptor store."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bed import Bed, Control

Message = tuple[dict[str, str], list[int]]


class Manager:
    """A fake of systemd's notification socket: takes messages with their descriptors, as the store would."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(8)
        self.env = {"NOTIFY_SOCKET": str(path)}
        self.stored: dict[str, int] = {}

    def until(self, key: str) -> dict[str, str]:
        """Take messages until one has this key."""
        while True:
            data, descriptors, _, _ = socket.recv_fds(self._socket, 4096, 4)
            fields = dict(line.split("=", 1) for line in data.decode().splitlines())
            if "FDSTOREREMOVE" in fields:
                self._remove(fields["FDNAME"])
            if "FDSTORE" in fields:
                (self.stored[fields["FDNAME"]],) = descriptors
            if key in fields:
                return fields

    def _remove(self, name: str) -> None:
        if name in self.stored:
            os.close(self.stored.pop(name))

    def start_again(self, bed: Bed, argv: list[str]) -> None:
        """Start init as systemd does: with what is stored at 3, 4, … and its own pid."""
        names = ":".join(self.stored)
        script = f'exec env LISTEN_PID=$$ LISTEN_FDS={len(self.stored)} LISTEN_FDNAMES="{names}" "$0" "$@"'
        moves = "".join(f"exec {place}<&{number}; " for place, number in enumerate(self.stored.values(), 3))
        bed.start_command(
            ["/bin/bash", "-c", moves + script, sys.executable, "-IS", str(bed.file), *argv],
            env=self.env,
            keep=list(self.stored.values()),
        )

    def close(self) -> None:
        """Let go of everything."""
        self._socket.close()
        for number in self.stored.values():
            os.close(number)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Give a fake systemd."""
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def listeners(control: Control) -> list[tuple[str, str, int]]:
    """Give name, host and port of what hello says about listeners."""
    return control.expect("hello").ports


def test_a_start_stores_listeners_by_address_and_is_ready(rootless_bed: Bed, manager: Manager) -> None:
    rootless_bed.start(env=manager.env)
    ready = manager.until("READY")
    assert ready["MAINPID"] == str(rootless_bed.process.pid)
    assert ready["STATUS"] == f"build 0 from {rootless_bed.file}"
    assert manager.stored.keys() == {"http=127.0.0.1_0", f"mgmt={rootless_bed.socket}"}


def test_a_restart_goes_on_with_the_stored_sockets(rootless_bed: Bed, manager: Manager) -> None:
    before = listeners(rootless_bed.start(env=manager.env).control())
    manager.until("READY")
    inode = rootless_bed.socket.stat().st_ino
    rootless_bed.process.kill()
    rootless_bed.wait()
    ((_, host, port),) = before
    with socket.create_connection((host, port)) as waiting:
        manager.start_again(rootless_bed, rootless_bed.argv(workers=1))
        assert listeners(rootless_bed.control()) == before
        accepted, _ = rootless_bed.accept("worker").given[0].accept()
        with accepted:
            assert accepted.getpeername() == waiting.getsockname()
    assert rootless_bed.socket.stat().st_ino == inode


def test_a_changed_port_is_opened_and_the_old_one_leaves_the_store(rootless_bed: Bed, manager: Manager) -> None:
    rootless_bed.start(env=manager.env)
    manager.until("READY")
    rootless_bed.process.kill()
    rootless_bed.wait()
    manager.start_again(rootless_bed, rootless_bed.argv(listen=["http=127.0.0.2:0"]))
    assert listeners(rootless_bed.control())[0][1] == "127.0.0.2"
    manager.until("READY")
    assert manager.stored.keys() == {"http=127.0.0.2_0", f"mgmt={rootless_bed.socket}"}


def test_a_stored_management_socket_without_a_name_is_made_anew(rootless_bed: Bed, manager: Manager) -> None:
    rootless_bed.start(env=manager.env)
    manager.until("READY")
    rootless_bed.process.kill()
    rootless_bed.wait()
    rootless_bed.socket.unlink()
    manager.start_again(rootless_bed, rootless_bed.argv())
    control = rootless_bed.control()
    hello = control.expect("hello")
    with socket.socket(fileno=hello.descriptors.pop()) as management, socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(rootless_bed.socket))
        management.accept()[0].close()


def test_a_reexec_says_reloading_then_ready(rootless_bed: Bed, manager: Manager) -> None:
    control = rootless_bed.start(env=manager.env).control()
    manager.until("READY")
    rootless_bed.signal(signal.SIGHUP)
    assert manager.until("RELOADING")["MONOTONIC_USEC"].isdecimal()
    assert manager.until("READY")["STATUS"].startswith("build 1 from ")
    control.ask("reexec", {"file": "/nowhere"})
    manager.until("RELOADING")
    assert manager.until("READY")["STATUS"].startswith("re-exec refused: ")


def test_a_stop_keeps_the_sockets_name_for_the_next_start(rootless_bed: Bed, manager: Manager) -> None:
    control = rootless_bed.start(env=manager.env).control()
    control.ask("status", {"text": "two\nlines"})
    assert manager.until("STATUS")["STATUS"].startswith("build")
    assert manager.until("STATUS") == {"STATUS": "two lines"}
    rootless_bed.signal(signal.SIGTERM)
    manager.until("STOPPING")
    control.ask("stopped")
    assert rootless_bed.wait() == 0
    assert rootless_bed.socket.exists()
