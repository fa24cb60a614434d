"""The built file as a person runs it: away from everybody's home, each verb to its end."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tako_modules.protocol.replies import DeployedData, StatusData

__all__ = ["PYTHON", "CommandLine", "Deployed", "Ended", "Ran"]

PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


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


class Ended(msgspec.Struct, frozen=True):
    """How a deploy ended on one server; phases: seconds of each, from the lease on."""

    server: str
    phases: dict[str, float] = {}
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
class CommandLine:
    """A command line whose home is below `root`; `environment` is added to every command's."""

    pyz: Path
    root: Path
    environment: dict[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def home(self) -> Path:
        """TAKO_HOME."""
        return self.root / "home"

    def env(self) -> dict[str, str]:
        """The environment of every command: of the person who runs the test only PATH and the network's set-up."""
        kept = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_CERT", "PATH", "LANG"))
        }
        cache = os.environ.get("TAKO_TEST_CACHE", str(self.root / "cache"))
        own = {"HOME": str(self.root), "TAKO_HOME": str(self.home), "XDG_CACHE_HOME": cache}
        return {**kept, **own, **self.environment}

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
