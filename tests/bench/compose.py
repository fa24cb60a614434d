"""Become init with a bench's control and one worker: HTTP_PORT HTTPS_PORT BACKEND_PORT CERT KEY.

The process that was started becomes init, so everything else is its descendant and dies with it.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from tako_modules.proxy.main import ACCESS_LOG

from .control import Composition

__all__ = ["compose", "init_argv"]

ROOT = Path(__file__).resolve().parents[2]
INIT = ROOT / "tako_modules" / "server" / "init" / "main.py"


def compose(arguments: Sequence[str]) -> NoReturn:
    """Become init, with everything it writes in a temporary folder that control removes at the end."""
    http, https, backend, cert, key = arguments
    made = Composition(
        folder=tempfile.mkdtemp(prefix="tako-bench-"),
        https_port=int(https),
        backend_port=int(backend),
        chain=str(Path(cert).resolve()),
        key=str(Path(key).resolve()),
    )
    os.environ["PYTHONPATH"] = str(ROOT)
    argv = init_argv(made, int(http))
    os.execv(argv[0], argv)


def init_argv(made: Composition, http_port: int) -> list[str]:
    """Give init's command line: as `tako serve --rootless --loopback --workers 1` would, but for control."""
    control = [sys.executable, "-m", "tests.bench.control", msgspec.json.encode(made).decode()]
    worker = [sys.executable, str(ROOT / "tako.py"), "__worker__"]
    return [
        *(sys.executable, "-IS", str(INIT), "--rootless", "--workers", "1"),
        *("--listen", f"http=127.0.0.1:{http_port}", "--listen", f"https=127.0.0.1:{made.https_port}"),
        *("--socket", str(Path(made.folder) / "tako.sock")),
        *("--control", msgspec.json.encode(control).decode(), "--worker", msgspec.json.encode(worker).decode()),
        *("--worker-env", f"{ACCESS_LOG}={made.folder}/access.log"),
    ]


if __name__ == "__main__":
    compose(sys.argv[1:])
