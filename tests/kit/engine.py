"""A Docker Engine of the tests' own: started by the first process that needs it, stopped by the last.

Everything it has is in one folder (`.bed/` in the checkout, or TAKO_BED): socket, data, images, keys. It has its own
bridge and touches no other engine's rules: `iptables` stays off in it, three rules of ours give the containers their
way out, and ports are published on 127.0.0.1 by its userland proxy. Several processes share it by file locks, so a
killed one leaves nothing that the next one does not clear away.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BedError", "Engine", "as_root", "default_folder", "pause_until"]

ROOT = Path(__file__).resolve().parents[2]
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # sbin is not on everybody's PATH
SOCKET_PATH_LIMIT = 70  # a Unix socket's path has 108 bytes; containerd's is the longest below this folder
START_SECONDS = 60  # for the engine on a busy machine; it takes one
STOP_SECONDS = 30
OWNER = "tako.bed.owner"  # label: the process that a container belongs to
INTERVAL = 0.05  # between two looks at something outside that tells nobody when it changes


class BedError(Exception):
    """The bed cannot be made or used; the message holds the output of what failed."""


def default_folder() -> Path:
    """Give the folder of the bed: TAKO_BED, else `.bed` in the checkout."""
    return Path(os.environ.get("TAKO_BED") or ROOT / ".bed").resolve()


def as_root(argv: Sequence[str]) -> list[str]:
    """Put sudo before a command that needs root, unless this is root."""
    return [*([] if os.geteuid() == 0 else ["sudo", "--non-interactive"]), *argv]


def pause_until(met: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait for something outside; raises BedError when it does not come within `seconds`."""
    deadline = time.monotonic() + seconds
    clock = threading.Event()
    while not met():
        if time.monotonic() > deadline:
            raise BedError(f"{what} took longer than {seconds:.0f} s")
        clock.wait(INTERVAL)


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine of one folder; `docker` speaks to it."""

    folder: Path

    @property
    def socket(self) -> Path:
        """Give the path of the engine's socket."""
        return self.folder / "d.sock"

    @property
    def bridge(self) -> str:
        """Name the network bridge: one per folder, at most 15 characters."""
        return f"tako-{self._digest()[:8]}"

    @property
    def network(self) -> str:
        """Give the bridge's network, chosen by the folder so that two beds differ: 10.200–249.0–255."""
        digest = self._digest()
        return f"10.{200 + int(digest[:4], 16) % 50}.{int(digest[4:6], 16)}"

    def _digest(self) -> str:
        return hashlib.sha256(str(self.folder).encode()).hexdigest()

    def docker(
        self, *words: str, data: bytes = b"", timeout: float = 120, check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one docker command; raises BedError with its output when it fails and `check` is set."""
        argv = ["docker", "-H", f"unix://{self.socket}", *words]
        env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{SEARCH}"}
        done = subprocess.run(argv, input=data, capture_output=True, timeout=timeout, env=env)
        if check and done.returncode:
            raise BedError(
                f"docker {' '.join(words)[:300]}: {(done.stderr or done.stdout).decode(errors='replace')[-2000:]}"
            )
        return done

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock: one process at a time starts, stops or builds."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def running(self) -> Iterator["Engine"]:
        """Have the engine run; the last process to leave stops it."""
        if len(str(self.folder)) > SOCKET_PATH_LIMIT:
            raise BedError(f"{self.folder} is too long for Unix sockets: set TAKO_BED to a shorter folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "users").open("w") as users:
            with self.locked():
                fcntl.flock(users, fcntl.LOCK_SH)
                self._start()
                self._clear_orphans()
            try:
                yield self
            finally:
                with self.locked():
                    self._stop_when_last(users.fileno())

    def _start(self) -> None:
        if self._answers():
            return
        self._end_daemon()
        self._network_up()
        settings = {
            "hosts": [f"unix://{self.socket}"],
            "data-root": str(self.folder / "root"),
            "exec-root": str(self.folder / "exec"),
            "pidfile": str(self.folder / "d.pid"),
            "containerd-namespace": self.bridge,
            "bridge": self.bridge,
            "iptables": False,
            "ip-masq": False,
            "log-level": "warn",
        }
        (self.folder / "daemon.json").write_text(json.dumps(settings))
        dockerd = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:{SEARCH}")
        if dockerd is None:
            raise BedError("dockerd is not installed: `python3 -m tests bed` installs it")
        argv = [dockerd, "--config-file", str(self.folder / "daemon.json"), "--group", str(os.getgid())]
        with (self.folder / "d.log").open("wb") as log:
            subprocess.run(
                as_root(["setsid", "--fork", *argv]), stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=True
            )
        try:
            pause_until(self._answers, seconds=START_SECONDS, what="the start of dockerd")
        except BedError as error:
            raise BedError(f"{error}\n{(self.folder / 'd.log').read_text(errors='replace')[-2000:]}") from error

    def _answers(self) -> bool:
        return self.socket.exists() and self.docker("version", check=False).returncode == 0

    def _network_up(self) -> None:
        """Make the bridge and its way out; all of it may be there from a run that was killed."""
        self._network_down()
        for argv in (
            ["ip", "link", "add", "name", self.bridge, "type", "bridge"],
            ["ip", "address", "add", f"{self.network}.1/24", "dev", self.bridge],
            ["ip", "link", "set", self.bridge, "up"],
            *(self._rule("--append" if table == "nat" else "--insert", table, rule) for table, rule in self._rules()),
        ):
            _system(argv)

    def _network_down(self) -> None:
        for table, rule in self._rules():
            if _system(self._rule("--check", table, rule), check=False) == 0:
                _system(self._rule("--delete", table, rule))
        if Path("/sys/class/net", self.bridge).exists():
            _system(["ip", "link", "delete", self.bridge])

    def _rules(self) -> list[tuple[str, list[str]]]:
        """Give (table, chain and rule): out by the machine's address, and answers back in."""
        answers = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
        return [
            ("nat", ["POSTROUTING", "-s", f"{self.network}.0/24", "!", "-o", self.bridge, "-j", "MASQUERADE"]),
            ("filter", ["FORWARD", "-i", self.bridge, "-j", "ACCEPT"]),
            ("filter", ["FORWARD", "-o", self.bridge, *answers, "-j", "ACCEPT"]),
        ]

    @staticmethod
    def _rule(verb: str, table: str, rule: list[str]) -> list[str]:
        return ["iptables", "--wait", "--table", table, verb, *rule]

    def _clear_orphans(self) -> None:
        """Remove the containers whose process is gone."""
        listed = self.docker("ps", "--all", "--format", f'{{{{.ID}}}} {{{{.Label "{OWNER}"}}}}').stdout.decode()
        rows = [row.partition(" ") for row in listed.splitlines()]
        gone = [identity for identity, _, owner in rows if not Path("/proc", owner or "-").exists()]
        if gone:
            self.docker("rm", "--force", "--volumes", *gone)

    def _stop_when_last(self, users: int) -> None:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another process still has containers
        if left := self.docker("ps", "--all", "--quiet").stdout.decode().split():
            self.docker("rm", "--force", "--volumes", *left)
        self._end_daemon()
        self._network_down()

    def _end_daemon(self) -> None:
        """End the daemon by its pid file, when that pid is one."""
        pid = self._daemon_pid()
        if pid is None:
            return
        with suppress(ProcessLookupError):
            if os.geteuid() == 0:
                os.kill(pid, signal.SIGTERM)
            else:
                _system(["kill", str(pid)])
        pause_until(lambda: self._daemon_pid() is None, seconds=STOP_SECONDS, what="the end of dockerd")

    def _daemon_pid(self) -> int | None:
        try:
            pid = int((self.folder / "d.pid").read_text())
            words = Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if str(self.folder / "daemon.json").encode() in words else None


def _system(argv: Sequence[str], *, check: bool = True) -> int:
    """Run a command of the machine as root; raises BedError with its words when it fails."""
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{SEARCH}"}
    done = subprocess.run(as_root(argv), capture_output=True, env=env)
    if check and done.returncode:
        raise BedError(f"{' '.join(argv)}: {done.stderr.decode(errors='replace').strip()}")
    return done.returncode
