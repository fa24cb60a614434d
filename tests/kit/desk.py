"""Somebody's computer in front of remote servers: the built file, a home, a key, and an authority for certificates.

desk = Desk(pyz, tmp_path, server.key)
desk.add(server, "la")
desk.tako("deploy", "--yes", cwd=project("shop", tmp_path / "shop", servers=["la"]))
"""

import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import trustme

from .commands import CommandLine, Ran
from .container import Container

__all__ = ["Desk", "tree"]

CURL_SECONDS = "40"  # a held request is answered by then, well or badly


@dataclass
class Desk(CommandLine):
    """A command line that logs in with a key."""

    key: Path

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
        """The environment of every command, with the key."""
        return {"TAKO_SSH_KEY": str(self.key), **super().env()}

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
