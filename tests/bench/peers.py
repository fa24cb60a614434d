"""The proxies under test: how each is started, and one of them while it runs."""

import os
import shlex
import signal
import socket
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .hosts import HOST, HOSTS
from .processes import free_port
from .site import PEERS, Site, pinned, render
from .waiting import NeverHappened, until

__all__ = ["PROXIES", "Command", "Proxy"]

READY_SECONDS = 10.0
STOP_SECONDS = 5.0
ANSWER_SECONDS = 5.0
ASK = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
TAKO = Path(__file__).with_name("tako")


@dataclass(frozen=True, slots=True)
class Command:
    """How a proxy is started in the foreground.

    words: with {http_port} {https_port} {backend_port} {cert} {key} {dir} {config}; template: a file of peers/ that
    becomes {config}.
    """

    words: str
    template: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


PROXIES = {
    "nginx": Command("nginx -p {dir} -c {config}", "nginx.conf"),
    "haproxy": Command("haproxy -db -f {config}", "haproxy.cfg"),
    "caddy": Command("caddy run --adapter caddyfile --config {config}", "Caddyfile", {"GOMAXPROCS": "1"}),
    "tako": Command(f"{shlex.quote(str(TAKO))} {{http_port}} {{https_port}} {{backend_port}} {{cert}} {{key}}"),
}
"""Name → command; all do the same: 100 hosts, JSON access log, forwarded headers, request ids, kept connections."""


class Proxy:
    """One proxy with a core to itself, in a process group of its own."""

    def __init__(self, name: str, command: Command, site: Site) -> None:
        """Start it; `check` tells when it answers."""
        self.name = name
        self.site = site
        self.folder = site.folder / name
        self.folder.mkdir()
        self.http, self.https = free_port(), free_port()
        words = shlex.split(command.words.format(**self._values(command.template)))
        with open(self.folder / "stdout", "wb") as out, open(self.folder / "stderr", "wb") as err:
            self.process = subprocess.Popen(
                pinned(site.cores.proxy, *words),
                cwd=self.folder,
                env={**os.environ, **command.env, "HOME": str(self.folder)},
                start_new_session=True,
                stdout=out,
                stderr=err,
            )

    @property
    def pid(self) -> int:
        """The process whose descendants are measured."""
        return self.process.pid

    def _values(self, template: str) -> dict[str, str]:
        site, folder = self.site, self.folder
        (folder / "both.pem").write_bytes(site.cert.read_bytes() + site.key.read_bytes())
        (folder / "hosts.map").write_text("".join(f"{host} {host}\n" for host in HOSTS))
        values = {
            "dir": str(folder),
            "cert": str(site.cert),
            "key": str(site.key),
            "http_port": str(self.http),
            "https_port": str(self.https),
            "backend_port": str(site.backend_port),
            "config": str(folder / (template or "none")),
        }
        if template:
            Path(values["config"]).write_text(render((PEERS / template).read_text(), values))
        return values

    def check(self) -> None:
        """Wait until it answers 200 over HTTP and HTTPS; raises NeverHappened with its last words."""
        try:
            until(lambda: self._answers(tls=False), seconds=READY_SECONDS, what=f"{self.name} answers over HTTP")
            until(lambda: self._answers(tls=True), seconds=READY_SECONDS, what=f"{self.name} answers over HTTPS")
        except NeverHappened as problem:
            words = (self.folder / "stderr").read_text(errors="replace")[-2000:]
            raise NeverHappened(f"{problem}\n{words}") from None

    def _answers(self, *, tls: bool) -> bool:
        context = ssl.create_default_context(cafile=str(self.site.cert))
        try:
            with socket.create_connection(("127.0.0.1", self.https if tls else self.http), ANSWER_SECONDS) as plain:
                if not tls:
                    return _is_fine(plain)
                with context.wrap_socket(plain, server_hostname=HOST) as secure:
                    return _is_fine(secure)
        except OSError:
            return False

    def stop(self) -> None:
        """End the process group."""
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self.process.wait()


def _is_fine(connection: socket.socket) -> bool:
    connection.sendall(ASK)
    head = connection.recv(100)
    while connection.recv(65536):
        pass
    return b" 200" in head
