"""Read requirements.txt as far as a deploy must trust it: every requirement is pinned by a hash."""

import re
from pathlib import Path

from tako_modules.base.errors import ConfigError, TakoError, translate
from tako_modules.base.files import safe_join

__all__ = ["COMPILE", "check_hashes"]

COMPILE = "uv pip compile --generate-hashes"
_NESTED = re.compile(r"(?:-r|--requirement)[ =]?\s*(\S+)")
_CONSTRAINT = re.compile(r"(?:-c|--constraint)\b")
_EDITABLE = re.compile(r"(?:-e|--editable)\b")
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_SHOWN = 3  # requirements named in an error: enough to recognise the mistake
_DEPTH = 5  # files that include files: more is a circle


def check_hashes(folder: Path, name: str = "requirements.txt", depth: int = 0) -> None:
    """Raise ConfigError when a requirement of the file, or of one that it includes, has no hash."""
    if depth > _DEPTH:
        raise ConfigError(f"{name} includes files more than {_DEPTH} deep", hint="is there a circle of -r lines?")
    bare = []
    for number, line in _logical_lines(folder, name):
        if nested := _NESTED.match(line):
            check_hashes(folder, _beside(name, nested[1]), depth + 1)
        elif _EDITABLE.match(line):
            hint = f"install it from a package index, and write the file with `{_command(folder)}`"
            raise ConfigError(f"{name}:{number}: an editable requirement cannot be checked by a hash", hint=hint)
        elif not _CONSTRAINT.match(line) and not line.startswith("-") and "--hash=" not in line:
            bare.append((number, line.split()[0]))
    if bare:
        shown = ", ".join(word for _, word in bare[:_SHOWN]) + (" …" if len(bare) > _SHOWN else "")
        message = f"{name}:{bare[0][0]}: {len(bare)} requirements have no hash: {shown}"
        raise ConfigError(message, hint=f"write the file with `{_command(folder)}`, and commit it")


def _command(folder: Path) -> str:
    source = next((name for name in ("requirements.in", "pyproject.toml") if (folder / name).is_file()), "")
    return f"{COMPILE} {source or 'requirements.in'} -o requirements.txt"


def _beside(name: str, other: str) -> str:
    parent = name.rpartition("/")[0]
    return f"{parent}/{other}" if parent else other


def _logical_lines(folder: Path, name: str) -> list[tuple[int, str]]:
    """Join continued lines and drop comments, as pip does; each with the number of its first line."""
    with translate(
        {OSError: ConfigError, UnicodeDecodeError: ConfigError, TakoError: ConfigError}, f"cannot read {name}"
    ):
        text = safe_join(folder, name).read_text(encoding="utf-8-sig")
    found: list[tuple[int, str]] = []
    whole, first = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        first = first or number
        line = _COMMENT.sub("", raw)
        if raw.rstrip().endswith("\\") and line == raw:
            whole += line.rstrip()[:-1] + " "
            continue
        if joined := (whole + line).strip():
            found.append((first, joined))
        whole, first = "", 0
    if joined := whole.strip():
        found.append((first, joined))
    return found
