"""Real worker processes: what they load, how they leave, and how one takes over from another."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tako_modules.model import snapshot as model

ROOT = Path(__file__).parents[2]
START = "import sys; from tako_modules.proxy import main; code = main.run(sys.argv[1:]); "
LIST = "print(*sorted(sys.modules)); "
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENCE = 10.0


class Site:
    """A listener, an upstream that always answers, and workers that come and go."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self.listener.getsockname()[1])
        self.upstream = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.stopped = threading.Event()
        self.channels: list[socket.socket] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        self.upstream.settimeout(0.05)
        threads = []
        while not self.stopped.is_set():
            try:
                peer, _ = self.upstream.accept()
            except TimeoutError:
                continue
            threads.append(threading.Thread(target=self._answer, args=(peer,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _answer(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(ConnectionResetError):  # of a worker that was killed
            peer.settimeout(PATIENCE)
            while peer.recv(65536):
                peer.sendall(OK)

    def worker(self, *, end: str = "sys.exit(code)") -> subprocess.Popen[bytes]:
        """Start a worker and give it a snapshot; it serves when it has acknowledged that."""
        control, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.settimeout(PATIENCE)
        self.channels.append(control)
        # descriptors 3 and 4 as the parent of a server arranges them
        shell = f'exec "$0" -c "$1" http 3<&{channel.fileno()} 4<&{self.listener.fileno()}'
        worker = subprocess.Popen(
            ["/bin/bash", "-c", shell, sys.executable, START + end],
            pass_fds=(channel.fileno(), self.listener.fileno()),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        self.workers.append(worker)
        channel.close()
        port = int(self.upstream.getsockname()[1])
        instance = model.InstanceAddress(id="one", port=port, version="v1")
        traffic = model.AppTraffic(id="shop", version="v1", routes=("a.test",), https_only=False, instances=(instance,))
        memory = os.memfd_create("snapshot")
        os.write(memory, model.encode(model.Snapshot(epoch=1, generation=1, apps=(traffic,))))
        socket.send_fds(control, [model.encode(model.NewSnapshot(epoch=1, generation=1))], [memory])
        os.close(memory)
        assert model.decode_fact(control.recv(1 << 18)) == model.Applied(epoch=1, generation=1)
        return worker

    def facts(self, channel: socket.socket) -> list[model.Fact]:
        """Read all that a worker that is gone has reported."""
        found = []
        while packet := channel.recv(1 << 18):
            found.append(model.decode_fact(packet))
        return found

    def close(self) -> None:
        """End everything."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
            if worker.stdout is not None:
                worker.stdout.close()
        self.stopped.set()
        self.thread.join()
        for sock in (*self.channels, self.listener, self.upstream):
            sock.close()


@pytest.fixture(name="site")
def _site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def fetch(port: int) -> bytes:
    """Make one request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        got = b""
        while piece := client.recv(65536):
            got += piece
        return got


def test_a_worker_serves_and_leaves_when_it_is_told(site: Site) -> None:
    worker = site.worker()
    assert fetch(site.port).endswith(b"ok")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE) == 0
    served = [fact for fact in site.facts(site.channels[0]) if isinstance(fact, model.Served)][-1]
    assert [(count.started, count.finished) for count in served.counts] == [(1, 1)]


def test_a_worker_loads_no_other_loop_and_no_second_cryptography(site: Site) -> None:
    worker = site.worker(end=LIST)
    worker.send_signal(signal.SIGTERM)
    out, _ = worker.communicate(timeout=PATIENCE)
    loaded = set(out.decode().split())
    assert "tako_modules.proxy.worker" in loaded
    assert loaded & {"asyncio", "anyio", "cryptography", "OpenSSL", "threading", "subprocess", "http.client"} == set()


def test_a_killed_worker_takes_only_its_own_connections_along(site: Site) -> None:
    first, _ = site.worker(), site.worker()
    first.kill()
    first.wait()
    for _ in range(20):
        assert fetch(site.port).endswith(b"ok")


def test_no_request_is_lost_when_workers_replace_each_other(site: Site) -> None:
    bad: list[bytes] = []
    done = [0]
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            answer = fetch(site.port)
            done[0] += 1
            if not answer.endswith(b"ok"):
                bad.append(answer)

    current = site.worker()
    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            fresh = site.worker()
            current.send_signal(signal.SIGTERM)
            assert current.wait(PATIENCE) == 0
            current = fresh
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert bad == []
    assert done[0] > 20


def test_a_worker_that_lost_its_parents_leaves(site: Site) -> None:
    worker = site.worker()
    site.channels.pop().close()
    began = time.monotonic()
    assert worker.wait(PATIENCE) == 0
    assert time.monotonic() - began < 5
