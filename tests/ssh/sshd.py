"""A real sshd on loopback: its own port, host keys, configuration and authorized keys, all in a temporary folder."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tako_modules.ssh.login import Access, Login

SSHD = "/usr/sbin/sshd"


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "", form: str = "RFC4716") -> str:
    """Make a key pair with ssh-keygen and give its fingerprint; form: RFC4716 is OpenSSH's own, or PKCS8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keygen("-t", kind, "-m", form, "-N", passphrase, "-C", "test", "-f", path)
    return fingerprint(path)


def keygen(*argv: str | Path) -> None:
    """Run ssh-keygen."""
    subprocess.run(["ssh-keygen", "-q", *argv], check=True)


def fingerprint(path: Path) -> str:
    """Give the fingerprint of a key file as ssh-keygen prints it."""
    return subprocess.run(["ssh-keygen", "-lf", path], check=True, capture_output=True, text=True).stdout.split()[1]


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Sshd:
    """A running daemon: `user` may log in with the key file `key`."""

    folder: Path
    port: int
    fingerprint: str
    key: Path
    user: str

    @property
    def login(self) -> Login:
        """Its address."""
        return Login(host="127.0.0.1", port=self.port, user=self.user, name="la")

    @property
    def known(self) -> str:
        """Its line of a known_hosts file."""
        kind, data, *_ = (self.folder / "host_key.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {kind} {data}\n"

    def authorize(self, line: str) -> None:
        """Let another key in."""
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(line)

    def access(self, **environment: str) -> Access:
        """Make what a person has whose key is let in and who knows the host."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        known = environment.setdefault("TAKO_KNOWN_HOSTS", self.known)
        environment.setdefault("TAKO_SSH_KEY", str(self.key))
        if not known:
            del environment["TAKO_KNOWN_HOSTS"]
        return Access(user_folder=home / ".ssh", accepted=home / ".tako/known_hosts", environment=environment)


@contextmanager
def running(folder: Path, options: str = "", authority: Path | None = None) -> Iterator[Sshd]:
    """Run an sshd while the block runs; options: further lines of its configuration; authority: signs its host key."""
    folder.mkdir(parents=True, exist_ok=True)
    print_of_host = make_key(folder / "host_key")
    make_key(folder / "user_key")
    if authority is not None:
        keygen("-s", authority, "-I", "host", "-h", "-n", "127.0.0.1", folder / "host_key.pub")
        options += f"\nHostCertificate {folder}/host_key-cert.pub"
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    port = free_port()
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host_key\nPidFile {folder}/pid\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nPermitRootLogin yes\nPrintMotd no\nLogLevel ERROR\n{options}\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with (folder / "log").open("w") as log:
        daemon = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=log, start_new_session=True)
    try:
        _wait(port, daemon, folder / "log")
        yield Sshd(folder, port, print_of_host, folder / "user_key", getpass.getuser())
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()


def _wait(port: int, daemon: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(0.02)
            break
    raise AssertionError(log.read_text())
