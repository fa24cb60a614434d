"""Every Python file of the project, read and parsed once."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["PACKAGE", "ROOT", "Source", "code", "everything", "package", "parsed_files", "tracked"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tako_modules"
SKIPPED = {
    "__pycache__", "node_modules", ".venv", ".git", ".bed", ".tako",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
}  # fmt: skip
MADE = {ROOT / "build", ROOT / "dist"}  # by build_zipapp.py; a room is called build too
TEXT = {".py", ".md", ".toml", ".txt", ".in", ".sh", ".html", ".css", ".js", ".json", ".service", ".conf", ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One Python file: where it stands, its text, its tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Give the path below the checkout, as tests print it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def module(self) -> str:
        """Give the dotted name, a package's without `__init__`."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def is_package(self) -> bool:
        """Tell whether this is a package's `__init__.py`."""
        return self.path.name == "__init__.py"


@cache
def everything() -> tuple[Source, ...]:
    """Give all Python files of the project, tests and build script included."""
    return tuple(parsed_files(ROOT))


def parsed_files(folder: Path) -> Iterator[Source]:
    """Parse the Python files below a folder."""
    for path in _walk(folder):
        if path.suffix == ".py":
            text = path.read_text(encoding="utf-8")
            yield Source(path=path, text=text, tree=ast.parse(text, filename=str(path)))


def package() -> list[Source]:
    """Give the files of `tako_modules`."""
    return [source for source in everything() if source.path.is_relative_to(PACKAGE)]


def code() -> list[Source]:
    """Give what ships or builds what ships: everything but the tests."""
    return [source for source in everything() if not source.path.is_relative_to(ROOT / "tests")]


@cache
def tracked() -> tuple[tuple[str, str], ...]:
    """Give (path, text) of every text file of the project."""
    return tuple(
        (path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8", errors="replace"))
        for path in _walk(ROOT)
        if path.suffix in TEXT
    )


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in SKIPPED or path in MADE or path.is_symlink():
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield path
