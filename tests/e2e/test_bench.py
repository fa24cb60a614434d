"""The data plane alone, as the benchmark runs it: it answers, and its end is the end of everything it started."""

import contextlib
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme

from tests.bench.hosts import HOST, HOSTS
from tests.bench.peers import TAKO
from tests.bench.processes import free_port, tree
from tests.bench.waiting import until

SECONDS = 15.0


class _Backend(BaseHTTPRequestHandler):
    """Answers with the head of the request, and logs nothing."""

    def do_GET(self) -> None:
        text = str(self.headers).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


@pytest.fixture
def backend() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Backend) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


class _Composition:
    """The running script, its ports, and a client's trust in its certificate."""

    def __init__(self, folder: Path, backend: int) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert(HOST)
        cert, key = folder / "cert.pem", folder / "key.pem"
        cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)
        self.http, self.https = free_port(), free_port()
        (folder / "tmp").mkdir()
        with open(folder / "stderr", "wb") as words:
            self.process = subprocess.Popen(
                [TAKO, str(self.http), str(self.https), str(backend), str(cert), str(key)],
                env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder / "tmp")},
                stderr=words,
            )

    def get(self, host: str) -> str:
        with contextlib.closing(HTTPConnection("127.0.0.1", self.http, timeout=5)) as connection:
            connection.request("GET", "/", headers={"Host": host})
            return _text(connection.getresponse())

    def get_secure(self) -> str:
        with (
            socket.create_connection(("127.0.0.1", self.https), 5) as plain,
            self.trust.wrap_socket(plain, server_hostname=HOST) as secure,
            contextlib.closing(HTTPSConnection(HOST)) as connection,
        ):
            connection.sock = secure
            connection.request("GET", "/")
            return _text(connection.getresponse())

    def answers(self) -> bool:
        try:
            return bool(self.get(HOST))
        except OSError:
            return False


def _text(response: HTTPResponse) -> str:
    assert response.status == 200
    return response.read().decode()


def _living(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def composition(tmp_path: Path, backend: int) -> Iterator[_Composition]:
    made = _Composition(tmp_path, backend)
    try:
        until(made.answers, seconds=SECONDS, what="the composition answers")
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def test_it_answers_as_a_server_would_and_ends_whole(composition: _Composition, tmp_path: Path) -> None:
    for host in (HOSTS[0], HOSTS[-1]):
        assert f"X-Forwarded-Host: {host}" in composition.get(host)
    assert "X-Forwarded-Proto: https" in composition.get_secure()
    processes = tree(composition.process.pid)
    assert len(processes) == 3, "init, control and one worker"
    [folder] = (tmp_path / "tmp").iterdir()
    until((folder / "access.log").exists, seconds=SECONDS, what="requests are logged")
    composition.process.send_signal(signal.SIGTERM)
    assert composition.process.wait(SECONDS) == 0
    assert _living(processes) == []
    assert [*(tmp_path / "tmp").iterdir()] == []


def test_it_dies_whole(composition: _Composition) -> None:
    processes = tree(composition.process.pid)
    composition.process.kill()
    composition.process.wait()
    until(lambda: not _living(processes), seconds=SECONDS, what="nothing is left of it")
