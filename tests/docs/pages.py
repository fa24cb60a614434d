"""Every document that is written from the code, and what makes it; nobody edits these by hand."""

from collections.abc import Callable
from pathlib import Path

from tako_modules.config import reference

from . import bounds, protocol, schemas, verbs

__all__ = ["FOLDERS", "PAGES", "ROOT", "texts", "write"]

ROOT = Path(__file__).resolve().parents[2]
PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/bounds.md": bounds.render,
    "docs/reference/cli.md": verbs.render,
    "docs/reference/config.md": reference.render,
    "docs/reference/json/README.md": schemas.render,
    "docs/reference/protocol.md": protocol.render,
}
FOLDERS = ("docs/reference/json",)  # nothing stands here but what is made


def texts() -> dict[str, str]:
    """Make all documents: path below the checkout → text."""
    made = {path: render() for path, render in PAGES.items()}
    return made | {f"docs/reference/json/{name}": text for name, text in schemas.files().items()}


def write() -> list[str]:
    """Write what is not as it should be; gives the paths that changed."""
    made = texts()
    strangers = [
        path
        for folder in FOLDERS
        for path in (ROOT / folder).iterdir()
        if path.relative_to(ROOT).as_posix() not in made
    ]
    for stranger in strangers:
        stranger.unlink()
    changed = [path for path, text in made.items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text]
    for path in changed:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(made[path])
    return [*changed, *(stranger.relative_to(ROOT).as_posix() for stranger in strangers)]
