"""The built file on this machine, away from everybody's home: a server of the test's own, and the command line."""

import contextlib
import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .commands import PYTHON, CommandLine, Ran

__all__ = ["Local", "local_server"]

START_SECONDS = 20.0
STOP_SECONDS = 30.0
PORT_OFFSETS, PORT_SPAN = 50, 100  # servers side by side: each hands out ports of instances from another place on


@dataclass
class Local(CommandLine):
    """A server on ports of its own, reached as `local` by a command line with a home of its own."""

    http: int
    https: int
    process: "subprocess.Popen[bytes] | None" = None
    options: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        """The server's data directory."""
        return self.root / "data"

    @property
    def ca(self) -> Path:
        """The certificate that the server's certificates can be verified with."""
        return self.home / "ca" / "ca.crt"

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
    half = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 2 * PORT_OFFSETS
    offset = ("--instance-port-offset", str((half + random.randrange(PORT_OFFSETS)) * PORT_SPAN))
    made = Local(pyz, root, ports[0], ports[1], options=(*offset, *options))
    (made.home / "local").mkdir(parents=True)
    made.start()
    try:
        yield made
    finally:
        made.stop()
