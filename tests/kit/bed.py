"""The bed: real Debian servers in containers, for the tests that must not believe in fakes.

    with Bed.opened() as bed, bed.container() as server:
        server.exec(["systemctl", "is-system-running"])

`python -m tests.kit.bed prepare` makes the image and boots one server; `up` keeps one until Enter.
"""

import os
import random
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from . import image, outside
from .container import ABSENT, Container
from .engine import OWNER, BedError, Engine, default_folder

__all__ = ["Bed", "main"]

PORTS = range(31000, 32700)  # below the ports that systems hand out, above those of instances
TRIES = 3  # another process may take a port between our look and Docker's
INIT = """\
for d in /sys/fs/cgroup/*; do ! mountpoint -q $d || mount -o remount,rw,bind $d; done
[ ! -e /sys/fs/cgroup/cgroup.controllers ] || mount -o remount,rw,bind /sys/fs/cgroup
exec /sbin/init
"""  # a cgroup tree of its own, writable: systemd needs it, and must not see the machine's
FLAGS = (
    "--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN",  # systemd mounts for its units; nft
    "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
    "--cgroupns", "private",
    "--sysctl", "net.ipv4.ip_unprivileged_port_start=1024",  # Docker sets 0: then every test of low ports passes
    "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec",  # Docker's default is noexec
    "--stop-signal", "SIGRTMIN+3",  # systemd's word for a clean shutdown
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bed:
    """A running engine with the image in it."""

    engine: Engine
    image: str
    key: Path

    @classmethod
    @contextmanager
    def opened(cls, folder: Path | None = None) -> Iterator["Bed"]:
        """Have the engine run and the image there; parallel processes share both."""
        with Engine(folder or default_folder()).running() as engine:
            with engine.locked():
                name = image.ensure(engine)
                key = _test_key(engine.folder)
            yield cls(engine, name, key)

    @contextmanager
    def container(self, arguments: Sequence[str] = ()) -> Iterator[Container]:
        """Boot a server and take it away at the end; `arguments` are further words for `docker create`."""
        made = self._create(arguments)
        try:
            made.wait()
            if found := made.found_of(ABSENT):
                raise BedError(f"the image is not bare: {', '.join(found)}")
            yield replace(made, host_key=made.read_host_key())
        finally:
            self.engine.docker("rm", "--force", "--volumes", made.name, check=False)

    def _create(self, arguments: Sequence[str]) -> Container:
        """Make and start it; with other ports when it does not start, for these may have been taken meanwhile."""
        tries = 0
        while True:
            tries += 1
            made = self._with_ports()
            try:
                self._start(made, arguments)
            except BedError:
                self.engine.docker("rm", "--force", "--volumes", made.name, check=False)
                if tries == TRIES:
                    raise
            else:
                return made

    def _with_ports(self) -> Container:
        ssh, http, https = _free_ports(3)
        name = f"bed-{secrets.token_hex(4)}"
        return Container(engine=self.engine, name=name, ssh_port=ssh, http_port=http, https_port=https, key=self.key)

    def _start(self, made: Container, arguments: Sequence[str]) -> None:
        settings = outside.look()
        public = self.key.with_suffix(".pub").read_bytes()
        published = {made.ssh_port: 22, made.http_port: 80, made.https_port: 443}
        self.engine.docker(
            "create",
            "--name", made.name, "--hostname", made.name, "--label", f"{OWNER}={os.getpid()}",
            *FLAGS,
            *(word for here, there in published.items() for word in ("--publish", f"127.0.0.1:{here}:{there}")),
            *(word for folder in settings.mounts for word in ("--volume", f"{folder}:{folder}:ro")),
            *(word for pair in settings.env.items() for word in ("--env", "=".join(pair))),
            *arguments,
            self.image, "/bin/sh", "-c", INIT,
        )  # fmt: skip
        files = {**settings.files, "/root/.ssh/authorized_keys": public}
        self.engine.docker("cp", "-", f"{made.name}:/", data=outside.archive(files))
        self.engine.docker("start", made.name)


def _free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    free: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            free.append(port)
        if len(free) == count:
            return free
    raise BedError(f"no {count} ports are free between {PORTS.start} and {PORTS.stop}")


def _test_key(folder: Path) -> Path:
    """Give the private key that every container accepts, made once per bed. The caller holds the lock."""
    key = folder / "key"
    if not key.with_suffix(".pub").exists():
        key.unlink(missing_ok=True)
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bed", "-f", str(key)]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return key


def main(words: Sequence[str]) -> int:
    """Make the image and boot one server; `up` keeps it until Enter, with its ports on the screen."""
    if words not in (["prepare"], ["up"]):
        print("usage: python -m tests.kit.bed prepare|up", file=sys.stderr)
        return 2
    try:
        with Bed.opened() as bed, bed.container() as server:
            print(f"bed: {bed.image} boots; {server.exec(['python3', '--version']).out.strip()}", flush=True)
            if words == ["up"]:
                print(f"ssh -i {server.key} -p {server.ssh_port} root@127.0.0.1   # {server.host_key_fingerprint}")
                print(
                    f"80 → 127.0.0.1:{server.http_port}, 443 → 127.0.0.1:{server.https_port}; Enter ends it", flush=True
                )
                sys.stdin.readline()
    except BedError as error:
        print(f"bed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
