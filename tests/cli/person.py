"""Somebody with a home, an inventory and a project, who types at a terminal or has none."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit.terminal import Seen, on_terminal

__all__ = ["TEXT", "Person", "settle"]

ROOT = Path(__file__).resolve().parents[2]
TEXT = """\
# mine
name = "shop"
runtime = "command"
start = ["true"]
[envs.production]
route = "shop.localhost"  # ours
"""
SECONDS = 15


@dataclass(frozen=True)
class Person:
    """A TAKO_HOME and the folder of a project, which is the working directory."""

    home: Path
    folder: Path

    @property
    def file(self) -> Path:
        """The project's tako.toml."""
        return self.folder / "tako.toml"

    def know(self, *names: str) -> None:
        """Have these servers in the inventory, and no others."""
        entries = [f'[[servers]]\nname = "{name}"\nhost = "203.0.113.{at}"\n' for at, name in enumerate(names, 1)]
        (self.home / "config.toml").write_text("\n".join(entries))

    def types(self, words: Sequence[str], typed: str = "") -> Seen:
        """Run a verb at a terminal where something has been typed already."""
        argv = [sys.executable, str(ROOT / "tako.py"), *words]
        return on_terminal(argv, env=dict(os.environ), cwd=self.folder, seconds=SECONDS, typed=typed.encode())


def settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str = TEXT) -> Person:
    """Make a person whose project has a tako.toml that maps no server."""
    person = Person(tmp_path / "home", tmp_path / "shop")
    person.home.mkdir()
    person.folder.mkdir()
    person.file.write_text(text)
    monkeypatch.chdir(person.folder)
    monkeypatch.setenv("TAKO_HOME", str(person.home))
    for name in ("XDG_RUNTIME_DIR", "TAKO_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    return person
