"""Who listens on a port, found on this very machine."""

import os
import socket
from pathlib import Path

from tako_modules.server.setup import ports


def test_a_listener_is_named_by_its_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        holder = ports.holders([port])[port]
    assert holder.pid == os.getpid()
    assert holder.program == Path("/proc/self/comm").read_text().strip()
    assert f"(pid {os.getpid()}" in holder.words


def test_a_free_port_has_no_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert ports.holders([port]) == {}


def test_a_connection_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        port = client.getsockname()[1]
        assert ports.holders([port]) == {}
