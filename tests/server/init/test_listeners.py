"""Listeners: bound as told, shared by name, and one clear line when that cannot be."""

import errno
import os
import platform
import signal
import socket
import stat
import sys
from pathlib import Path

import pytest

from .bed import Bed
from .ipv4_only import SOCKET

IPV4_ONLY = Path(__file__).with_name("ipv4_only.py")
HAS_IPV6 = socket.has_dualstack_ipv6()


def addresses(bed: Bed) -> list[tuple[str, str, int]]:
    """Give name, host and port of what was bound."""
    return bed.control().expect("hello").ports


def test_workers_get_the_listeners_in_the_order_of_their_names(bed: Bed) -> None:
    bed.start(workers=1, listen=["http=127.0.0.1:0", "https=127.0.0.1:0", "http=127.0.0.2:0"])
    found = addresses(bed)
    worker = bed.accept("worker")
    assert worker.listeners == ["http", "https", "http"] == [name for name, _, _ in found]
    assert [one.getsockname() for one in worker.given] == [(host, port) for _, host, port in found]
    assert [host for _, host, _ in found] == ["127.0.0.1", "127.0.0.1", "127.0.0.2"]


def test_hello_names_the_first_of_a_name(rootless_bed: Bed) -> None:
    rootless_bed.start(listen=["http=127.0.0.1:0", "http=127.0.0.2:0"])
    hello = rootless_bed.control().expect("hello")
    assert hello["listeners"] == {"http": f"127.0.0.1:{hello.ports[0][2]}"}


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["[::]", ""])
def test_every_address_is_both_families(rootless_bed: Bed, host: str) -> None:
    ((_, bound, port),) = addresses(rootless_bed.start(listen=[f"http={host}:0"]))
    assert bound == "[::]"
    for family, place in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as caller:
            caller.connect((place, port))


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_loopback_of_both_families_is_two_listeners(rootless_bed: Bed) -> None:
    found = addresses(rootless_bed.start(listen=["http=127.0.0.1:0", "http=[::1]:0"]))
    assert [host for _, host, _ in found] == ["127.0.0.1", "[::1]"]


@pytest.mark.skipif(platform.machine() not in SOCKET, reason="the filter knows two kinds of machine")
@pytest.mark.parametrize(
    ("listen", "bound"),
    [
        (["http=[::]:0"], ["0.0.0.0"]),
        (["http=127.0.0.1:0", "http=[::1]:0"], ["127.0.0.1"]),
    ],
    ids=["every address", "loopback"],
)
def test_a_machine_without_ipv6_is_served_on_ipv4(rootless_bed: Bed, listen: list[str], bound: list[str]) -> None:
    init = [sys.executable, "-IS", str(rootless_bed.file), *rootless_bed.argv(listen=listen)]
    found = addresses(rootless_bed.start_command([sys.executable, str(IPV4_ONLY), *init]))
    assert [host for _, host, _ in found] == bound
    with socket.create_connection(("127.0.0.1", found[0][2])):
        pass


def test_an_address_the_machine_has_not_is_left_out_when_the_name_has_another(rootless_bed: Bed) -> None:
    found = addresses(rootless_bed.start(listen=["http=127.0.0.1:0", "http=[2001:db8::1]:0"]))
    assert [host for _, host, _ in found] == ["127.0.0.1"]
    assert "cannot listen on http=[2001:db8::1]:0: errno 99" in rootless_bed.words()


def test_a_busy_port_is_one_line_and_code_98(bed: Bed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        bed.start(listen=[f"http=127.0.0.1:{port}"])
        assert bed.wait() == 98
    assert bed.words() == f"init: cannot listen on http=127.0.0.1:{port}: errno 98 (Address already in use)\n"


def test_two_servers_share_a_port_when_told_to(rootless_bed: Bed, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert addresses(rootless_bed.start("--reuse-port", listen=[f"http=127.0.0.1:{port}"]))


def test_a_rootless_socket_is_its_users_alone(rootless_bed: Bed) -> None:
    hello = rootless_bed.start("--group", "nogroup").control().expect("hello")
    found = rootless_bed.socket.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o600, os.geteuid(), os.getegid())
    with socket.socket(fileno=hello.descriptors.pop()) as management, socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(rootless_bed.socket))
        management.accept()[0].close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")
def test_the_group_may_use_the_socket(root_bed: Bed) -> None:
    root_bed.start("--group", "nogroup").control()
    found = root_bed.socket.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o660, 0)
    assert root_bed.socket.group() == "nogroup"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes user and group")
@pytest.mark.parametrize("option", ["--group", "--worker-user"])
def test_a_user_or_group_that_does_not_exist_is_named(root_bed: Bed, option: str) -> None:
    assert root_bed.start(option, "no-such-name").wait() == 1
    assert "'no-such-name' does not exist" in root_bed.words()


def test_the_name_of_a_dead_server_is_taken(rootless_bed: Bed) -> None:
    control = rootless_bed.start(listen=["http=127.0.0.1:0"], workers=1).control()
    port = control.expect("hello").ports[0][2]
    control.whole()
    control.release()
    rootless_bed.accept("worker").release()
    rootless_bed.signal(signal.SIGKILL)
    rootless_bed.wait()
    assert rootless_bed.socket.exists()
    rootless_bed.start(listen=[f"http=127.0.0.1:{port}"]).control().expect("end")


def test_the_socket_of_a_living_server_is_not(rootless_bed: Bed) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(rootless_bed.socket))
        other.listen()
        assert rootless_bed.start().wait() == 98
    assert "another server is running" in rootless_bed.words()
    assert rootless_bed.socket.exists()


def test_a_file_in_the_place_of_the_socket_stays(rootless_bed: Bed) -> None:
    rootless_bed.socket.write_text("precious")
    assert rootless_bed.start().wait() == 98
    assert f"errno {errno.EEXIST}" in rootless_bed.words()
    assert rootless_bed.socket.read_text() == "precious"


def test_a_missing_folder_is_named(rootless_bed: Bed) -> None:
    rootless_bed.socket = rootless_bed.folder / "nowhere" / "tako.sock"
    assert rootless_bed.start().wait() == 98
    assert f"mgmt={rootless_bed.socket}: errno 2" in rootless_bed.words()
