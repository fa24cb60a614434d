"""The virtual environment `.venv`: made once, filled from the lock, renewed when the lock changes."""

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

from . import machine
from .trouble import Trouble

__all__ = ["PYTHON", "ROOT", "prepare"]

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
LOCK = ROOT / "requirements" / "dev.txt"
STAMP = ROOT / ".venv" / "lock-digest"  # names the lock the environment was filled from
OLDEST = (3, 11)


def prepare() -> None:
    """Make `.venv` hold exactly what requirements/dev.txt locks; quick when it already does.

    Raises Trouble when this Python is too old, or the packages cannot be installed.
    """
    if sys.version_info < OLDEST:
        raise Trouble(f"this is Python {sys.version.split()[0]}, Tako needs 3.11", hint="run it with a newer python3")
    if not _works():
        _make()
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == digest:
        return
    print("tests: filling .venv from requirements/dev.txt", flush=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)]).returncode:
        raise Trouble("pip could not install requirements/dev.txt", hint="read its output above")
    STAMP.write_text(digest)


def _works() -> bool:
    """Tell whether the environment is there and its interpreter still is."""
    return (
        PYTHON.exists() and subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True).returncode == 0
    )


def _make() -> None:
    """Make the environment anew; Debian keeps the part that fills it in a package of its own."""
    if importlib.util.find_spec("ensurepip") is None:
        machine.install(["python3-venv"])
    if subprocess.run([sys.executable, "-m", "venv", "--clear", str(ROOT / ".venv")]).returncode:
        raise Trouble(f"{sys.executable} cannot make .venv", hint="apt-get install python3-venv")
