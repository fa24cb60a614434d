"""The built file on this machine, away from everybody's home: a server of the test's own, and the command line."""

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Local", "Ran", "local_server", "write_app"]

PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
START_SECONDS = 20.0
STOP_SECONDS = 30.0
PORT_OFFSETS, PORT_SPAN = 100, 100  # servers side by side: each hands out ports of instances from another place on
SERVER_PY = Path(__file__).parent / "apps" / "echo" / "app.py"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """Read the one JSON document of `--json`."""
        read = json.loads(self.out)
        assert isinstance(read, dict)
        return read


@dataclass(slots=True)
class Local:
    """A server on ports of its own, reached as `local` by a command line with a home of its own."""

    pyz: Path
    root: Path
    http: int
    https: int
    process: "subprocess.Popen[bytes] | None" = None
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """TAKO_HOME."""
        return self.root / "home"

    @property
    def data(self) -> Path:
        """The server's data directory."""
        return self.root / "data"

    @property
    def ca(self) -> Path:
        """The certificate that the server's certificates can be verified with."""
        return self.home / "ca" / "ca.crt"

    def env(self) -> dict[str, str]:
        """The environment of every command: of the person who runs the test only PATH and the network's set-up."""
        kept = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_CERT", "PATH", "LANG"))
        }
        cache = os.environ.get("TAKO_TEST_CACHE", str(self.root / "cache"))
        return {
            **kept,
            "HOME": str(self.root),
            "TAKO_HOME": str(self.home),
            "XDG_CACHE_HOME": cache,
            **self.environment,
        }

    def start(self) -> None:
        """Start the server and wait until it answers."""
        argv = [PYTHON, "-IS", str(self.pyz), "serve", "--rootless", "--loopback", "--no-acme"]
        argv += ["--port", str(self.http), "--tls-port", str(self.https), "--data-dir", str(self.data)]
        argv += ["--socket", str(self.home / "local" / "tako.sock"), "--authority", str(self.home / "ca")]
        with open(self.root / "serve.log", "ab") as journal:
            self.process = subprocess.Popen(
                [*argv, *self.options], env=self.env(), stdin=subprocess.DEVNULL, stdout=journal, stderr=journal
            )
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, self.journal()
            assert time.monotonic() < end, f"the server does not answer:\n{self.journal()}"

    def answers(self) -> bool:
        """Tell whether the management socket is served."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.home / "local" / "tako.sock")) == 0

    def journal(self) -> str:
        """What the server's own processes have said."""
        return (self.root / "serve.log").read_text(errors="replace")[-6000:]

    def stop(self) -> None:
        """End the server and all that it started."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise

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

    def curl(self, url: str, *options: str) -> Ran:
        """Ask for a page, its certificate verified against the local authority."""
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "40", "--cacert", str(self.ca), *options, url],
            capture_output=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode())


@contextlib.contextmanager
def local_server(pyz: Path, root: Path, *options: str) -> Iterator[Local]:
    """Run a server of the test's own below `root`."""
    with contextlib.ExitStack() as held:
        ports = [held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(2)]
    offset = ("--instance-port-offset", str(random.randrange(PORT_OFFSETS) * PORT_SPAN))
    made = Local(pyz, root, ports[0], ports[1], options=(*offset, *options))
    (made.home / "local").mkdir(parents=True)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def write_app(folder: Path, name: str, *lines: str, start: str = "", top: str = "", servers: str = "") -> Path:
    """Write a project that runs the echo app (or `start`) on `local`; `lines` go into [vars]; gives its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(SERVER_PY.read_text())
    variables = "\n".join(lines)
    (folder / "tako.toml").write_text(
        f'name = "{name}"\nruntime = "command"\nstart = {start or json.dumps(["python3", "app.py"])}\n{top}\n'
        f'[vars]\n{variables}\n[envs.production]\nroute = "{name}.localhost"\n'
        f'[servers.local]\nenv = "production"\n{servers}\n'
    )
    return folder
