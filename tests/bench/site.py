"""What all proxies under test share: certificate, files, the backend behind them."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .hosts import HOSTS
from .processes import free_port
from .waiting import until

__all__ = ["PEERS", "Cores", "Site", "opened", "pinned", "render"]

PEERS = Path(__file__).with_name("peers")
FILES = {"big": 10 << 20, "1k": 1000, "100k": 100_000}  # name → bytes of what the backend serves
REPEATED = re.compile(r"@each_host@\n(.*?)@end@", re.DOTALL)
PLACE = re.compile(r"@(\w+)@")
BACKLOG = " backlog=4096"  # nginx wants it at one of the servers of an address only


@dataclass(frozen=True, slots=True)
class Cores:
    """A core for the proxy under test, and one for the load and the backend."""

    proxy: int = 1
    load: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A folder with everything in it, and where the backend listens."""

    folder: Path
    cert: Path
    key: Path
    backend_port: int
    cores: Cores


def pinned(core: int, *argv: str) -> list[str]:
    """Write a command that runs on one core."""
    return ["taskset", "-c", str(core), *argv]


def render(text: str, values: Mapping[str, object]) -> str:
    """Fill @name@ in a template; the part from @each_host@ to @end@ is repeated for every host."""

    def fill(part: str, own: Mapping[str, object]) -> str:
        return PLACE.sub(lambda found: str({**values, **own}.get(found[1], found[0])), part)

    def repeat(found: re.Match[str]) -> str:
        return "".join(
            fill(found[1], {"host": host, "nginx_backlog": "" if number else BACKLOG})
            for number, host in enumerate(HOSTS)
        )

    return fill(REPEATED.sub(repeat, text), {})


@contextmanager
def opened(folder: Path, cores: Cores) -> Iterator[Site]:
    """Make the files and run the backend meanwhile."""
    folder.chmod(0o755)
    site = Site(folder=folder, cert=folder / "cert.pem", key=folder / "key.pem", backend_port=free_port(), cores=cores)
    _files(site)
    configuration = folder / "backend.conf"
    values = {"dir": folder, "backend_port": site.backend_port}
    configuration.write_text(render((PEERS / "backend.conf").read_text(), values))
    argv = pinned(cores.load, "nginx", "-p", str(folder), "-c", str(configuration))
    backend = subprocess.Popen(argv, start_new_session=True)
    try:
        until(lambda: _listens(site.backend_port), seconds=5, what="the backend listens")
        yield site
    finally:
        os.killpg(backend.pid, signal.SIGTERM)
        backend.wait()


def _files(site: Site) -> None:
    www = site.folder / "www"
    www.mkdir()
    for name, size in FILES.items():
        (www / name).write_bytes(b"x" * size)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "9", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1,DNS:*.bench.test"),
            *("-keyout", str(site.key), "-out", str(site.cert)),
        ],
        check=True,
        capture_output=True,
    )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
