"""What is wrong with a file: every problem with its line, key and remedy, raised together."""

import difflib
import re
from collections.abc import Iterable, Sequence

import msgspec

from tako_modules.base.errors import ConfigError

__all__ = ["BadConfig", "KeyPath", "Problem", "key_text", "nearest", "raise_all"]

KeyPath = tuple[str | int, ...]
_PROJECT, _INVENTORY = "tako.toml", "config.toml"
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    line: from 1, or 0 where no line is to blame; path: the key, e.g. `envs.production.route`; hint: what to write.
    """

    line: int = 0
    path: str = ""
    message: str
    hint: str = ""

    def text(self, file: str) -> str:
        """Write it as one line: `tako.toml:12: envs.production.route: …`."""
        place = f"{file}:{self.line}" if self.line else file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class BadConfig(ConfigError):
    """A file has problems; the message lists all of them in the order of its lines."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        check = f"then run `{_check(file)}` to check it"
        if len(self.problems) == 1:
            only = self.problems[0]
            super().__init__(only.text(file), hint=f"{only.hint}\n{check}" if only.hint else f"correct it, {check}")
            return
        lines = [f"{file} has {len(self.problems)} problems"]
        for problem in self.problems:
            lines.append(problem.text(file))
            lines += [f"    {line}" for line in problem.hint.splitlines()]
        super().__init__("\n".join(lines), hint=f"correct {file}, {check}")


def _check(file: str) -> str:
    """Name the command that reads a file and changes nothing."""
    if file == _PROJECT or not file.endswith(".toml") or file.endswith(_INVENTORY):
        return "tako deploy --plan" if file == _PROJECT else "tako servers ls"
    return f"tako deploy --plan --config {file}"


def raise_all(file: str, problems: Sequence[Problem]) -> None:
    """Raise BadConfig when there is any problem."""
    if problems:
        raise BadConfig(file, problems)


def key_text(path: KeyPath) -> str:
    """Write a key path as TOML would: `servers.la.env`, `include[0]`, `vars."a b"`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        word = part if _BARE.fullmatch(part) else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        text += f".{word}" if text else word
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """Make the hint about an unknown word: the nearest known one, or all of them."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1) or [known for known in choices if known.startswith(word)]
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(choices)}" if choices else ""
