"""One container of the bed: a Debian server that boots, is reached by its ports, loses power, comes back."""

import base64
import hashlib
import shlex
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .engine import BedError, Engine, pause_until

__all__ = ["ABSENT", "BOOT_SECONDS", "Container", "Done"]

ABSENT = ("pip", "pip3", "uv", "node", "npm", "bun", "deno", "nc")  # a bare server has none of these
BOOT_SECONDS = 60  # two on an idle machine
BANNER_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command in the container ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A running server; every port is published on 127.0.0.1 and stays the same over a restart.

    key: the private key that root accepts. host_key: the line of known_hosts without its host.
    """

    engine: Engine
    name: str
    ssh_port: int
    http_port: int
    https_port: int
    key: Path
    host_key: str = ""

    @property
    def host_key_fingerprint(self) -> str:
        """Give the host key's fingerprint as `ssh-keygen -l` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.host_key.split()[1])).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    def exec(
        self, argv: Sequence[str], *, data: bytes = b"", user: str = "root", timeout: float = 120, check: bool = True
    ) -> Done:
        """Run a command inside; raises BedError when it fails and `check` is set."""
        words = ["exec", "--interactive", "--user", user, self.name, *argv]
        try:
            done = self.engine.docker(*words, data=data, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise BedError(f"in {self.name}: {shlex.join(argv)[:300]} ran longer than {timeout:.0f} s") from error
        result = Done(
            code=done.returncode, out=done.stdout.decode(errors="replace"), err=done.stderr.decode(errors="replace")
        )
        if check and result.code:
            raise BedError(
                f"in {self.name}: {shlex.join(argv)[:300]} ended with {result.code}\n{result.out}{result.err}"
            )
        return result

    def shell(self, script: str, *, check: bool = True, timeout: float = 120) -> Done:
        """Run a shell script inside."""
        return self.exec(["sh", "-euc", script], check=check, timeout=timeout)

    def copy_in(self, source: Path, target: str, *, mode: int | None = None) -> None:
        """Copy a file or folder to a path inside, owned by root."""
        self.exec(["mkdir", "-p", str(Path(target).parent)])
        self.engine.docker("cp", str(source), f"{self.name}:{target}")
        self.exec(["chown", "-R", "root:root", target])
        if mode is not None:
            self.exec(["chmod", f"{mode:o}", target])

    def write(self, path: str, content: str | bytes, *, mode: int = 0o644) -> None:
        """Write a file inside."""
        data = content.encode() if isinstance(content, str) else content
        place = shlex.quote(path)
        script = f'mkdir -p "$(dirname {place})" && cat > {place} && chmod {mode:o} {place}'
        self.exec(["sh", "-euc", script], data=data)

    @property
    def address(self) -> str:
        """Give its address on the bridge: for packets that must meet its own firewall and not Docker's proxy."""
        form = "{{.NetworkSettings.IPAddress}}"
        return self.engine.docker("inspect", "--format", form, self.name).stdout.decode().strip()

    def journal(self, unit: str = "", *, lines: int = 200) -> str:
        """Give the last lines of the journal, of one unit or of all."""
        which = ["--unit", unit] if unit else []
        return self.exec(["journalctl", "--no-pager", "--lines", str(lines), *which], check=False).out

    def kill(self) -> None:
        """Cut the power: every process is gone at once; `restart` boots it again."""
        self.engine.docker("kill", "--signal", "KILL", self.name)

    def restart(self) -> None:
        """Boot it again: after a clean shutdown, or after `kill`; returns when it is up."""
        self.engine.docker("restart", "--time", str(BOOT_SECONDS), self.name)
        self.wait()

    def wait(self) -> None:
        """Wait until it has booted and sshd speaks."""
        pause_until(self._booted, seconds=BOOT_SECONDS, what=f"the boot of {self.name}")
        pause_until(self._ssh_speaks, seconds=BOOT_SECONDS, what=f"sshd of {self.name}")

    def read_host_key(self) -> str:
        """Read type and key of the server's ed25519 host key."""
        return " ".join(self.exec(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).out.split()[:2])

    def found_of(self, programs: Sequence[str]) -> list[str]:
        """Name those of the programs that the server has."""
        script = 'for p in "$@"; do if command -v "$p" >/dev/null; then echo "$p"; fi; done'
        found = self.exec(["sh", "-c", script, "sh", *programs]).out.split()
        if "pip" in programs and self.exec(["python3", "-m", "pip", "--version"], check=False).code == 0:
            found.append("python3 -m pip")
        return found

    def _booted(self) -> bool:
        state = self.exec(["systemctl", "is-system-running"], check=False).out.strip()
        return state in {"running", "degraded"}

    def _ssh_speaks(self) -> bool:
        """Tell whether sshd greets: the published port itself accepts before anybody listens behind it."""
        try:
            with socket.create_connection(("127.0.0.1", self.ssh_port), timeout=BANNER_SECONDS) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False
