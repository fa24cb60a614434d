"""Somebody's computer in front of remote servers: the built file, a home, a key, and an authority for certificates.

desk = Desk(pyz, tmp_path, server.key)
desk.add(server, "la")
desk.tako("deploy", "--yes", cwd=project("shop", tmp_path / "shop", servers=["la"]))
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec
import trustme

from tako_modules.protocol.replies import DeployedData, StatusData

from .container import Container
from .local import PYTHON, Ran

__all__ = ["Deployed", "Desk", "Ended", "project", "tree"]

CURL_SECONDS = "40"  # a held request is answered by then, well or badly
ECHO = Path(__file__).parent / "apps" / "echo" / "app.py"
ECHO_START = 'start = ["python3", "app.py"]'


class Ended(msgspec.Struct, frozen=True):
    """How a deploy ended on one server."""

    server: str
    deployed: DeployedData | None = None


class Deployed(msgspec.Struct, frozen=True):
    """What `deploy --json` tells."""

    version: str
    servers: tuple[Ended, ...]


class _Server(msgspec.Struct, frozen=True):
    server: str
    result: StatusData


class _Status(msgspec.Struct, frozen=True):
    servers: tuple[_Server, ...]


@dataclass
class Desk:
    """A command line with a home of its own; `environment` is added to every command's."""

    pyz: Path
    root: Path
    key: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """TAKO_HOME."""
        return self.root / "home"

    @cached_property
    def authority(self) -> trustme.CA:
        """Who signs the certificates of the test's domains."""
        return trustme.CA()

    @cached_property
    def ca(self) -> Path:
        """The file to verify them with."""
        path = self.root / "ca.pem"
        self.authority.cert_pem.write_to_path(str(path))
        return path

    def env(self) -> dict[str, str]:
        """The environment of every command: of the person who runs the test only PATH and the network's set-up."""
        kept = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_CERT", "PATH", "LANG"))
        }
        cache = os.environ.get("TAKO_TEST_CACHE", str(self.root / "cache"))
        own = {"HOME": str(self.root), "TAKO_HOME": str(self.home), "TAKO_SSH_KEY": str(self.key)}
        return {**kept, **own, "XDG_CACHE_HOME": cache, **self.environment}

    def argv(self, *arguments: str) -> list[str]:
        """Give the command line of a verb."""
        return [PYTHON, "-IS", str(self.pyz), *arguments]

    def tako(self, *arguments: str, cwd: Path | None = None, seconds: float = 120) -> Ran:
        """Run a verb to its end."""
        done = subprocess.run(
            self.argv(*arguments),
            cwd=cwd or self.root,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def add(self, server: Container, name: str, *options: str) -> Ran:
        """Make a bare server one of ours, its host key pinned."""
        place = ["root@127.0.0.1", "--port", str(server.ssh_port), "--name", name]
        return self.tako("servers", "add", *place, "--host-key", server.host_key_fingerprint, "--yes", *options)

    def know(self, name: str, host: str, port: int, host_key: str = "") -> None:
        """Write a server into the inventory that need not be there; host_key: trust it."""
        self.home.mkdir(parents=True, exist_ok=True)
        if host_key:
            with open(self.home / "known_hosts", "a") as known:
                known.write(f"[{host}]:{port} {host_key}\n")
        with open(self.home / "config.toml", "a") as inventory:
            inventory.write(f'\n[[servers]]\nname = "{name}"\nhost = "{host}"\nport = {port}\n')

    def deploy(self, folder: Path, *options: str) -> Deployed:
        """Deploy; it must succeed."""
        done = self.tako("deploy", "--yes", "--json", *options, cwd=folder)
        assert done.code == 0, done.err
        return msgspec.json.decode(done.out, type=Deployed)

    def status(self, folder: Path) -> dict[str, StatusData]:
        """What `status --json` tells, by server."""
        done = self.tako("status", "--json", cwd=folder)
        assert done.code == 0, done.err
        return {one.server: one.result for one in msgspec.json.decode(done.out, type=_Status).servers}

    def certify(self, server: Container, *hosts: str) -> None:
        """Put certificates of the test's authority where a person would."""
        for host in hosts:
            issued = self.authority.issue_cert(host)
            chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
            server.write(f"/opt/tako/certs/{host}/privkey.pem", issued.private_key_pem.bytes(), mode=0o600)
            server.write(f"/opt/tako/certs/{host}/fullchain.pem", chain)

    def curl(self, server: Container, url: str, *options: str) -> Ran:
        """Ask a server for a page, by the name in the URL; its certificate is verified."""
        host = url.split("/")[2]
        places = [f"{host}:80:127.0.0.1:{server.http_port}", f"{host}:443:127.0.0.1:{server.https_port}"]
        connect = [word for place in places for word in ("--connect-to", place)]
        argv = ["curl", "-sS", "--max-time", CURL_SECONDS, "--cacert", str(self.ca), *connect, *options, url]
        done = subprocess.run(argv, capture_output=True, check=False)
        return Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())


def project(
    name: str,
    folder: Path,
    *lines: str,
    host: str = "",
    servers: Sequence[str] = ("la",),
    start: str = ECHO_START,
    top: str = "",
    scaling: str = "",
) -> Path:
    """Write a project that runs the echo app, or `start`; `lines` go into [vars]; gives its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_bytes(ECHO.read_bytes())
    variables = "\n".join(lines)
    tables = "\n".join(f'[servers.{server}]\nenv = "production"\n{scaling}' for server in servers)
    (folder / "tako.toml").write_text(
        f'name = "{name}"\nruntime = "command"\n{start}\n{top}\n[vars]\n{variables}\n'
        f'[envs.production]\nroute = "{host or name + ".bed.test"}"\n{tables}\n'
    )
    return folder


def tree(server: Container, *places: str) -> str:
    """List everything below places: kind, mode, owner, size of files and what links point to."""
    script = "import os,stat,sys\n" + _LIST
    return server.exec(["python3", "-c", script, *places]).out


_LIST = """
for place in sys.argv[1:]:
    for folder, names, files in sorted(os.walk(place)):
        for name in sorted([*names, *files]):
            path = os.path.join(folder, name)
            found = os.lstat(path)
            size = found.st_size if stat.S_ISREG(found.st_mode) else ""
            link = os.readlink(path) if stat.S_ISLNK(found.st_mode) else ""
            print(path, stat.filemode(found.st_mode), found.st_uid, found.st_gid, size, link)
"""
