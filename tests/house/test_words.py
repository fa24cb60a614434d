"""The project's texts speak of the project alone: no loose ends, no private hosts, no machine's paths."""

import re

import pytest

from .sources import ROOT, tracked

HERE = "tests/house/test_words.py"
FORBIDDEN = {
    "loose end": re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#?\d+\))"),
    "private registry": re.compile(
        r"pkg\.dev\b|artifact-?registry|artifactory|jfrog|\bnexus\.|\bdevpi\b|codeartifact|"
        r"^--(extra-)?index-url|^--find-links|^--trusted-host",
        re.IGNORECASE | re.MULTILINE,
    ),
    "machine path": re.compile(r"(?<![\w.])/(work/(main|shared|\.library)|opt/(pypi|wheels)|root/\.pyenv|tmp/brief)\b"),
    "who wrote it": re.compile(
        r"\b(claude|anthropic|openai|chatgpt|gpt-\d|copilot|llms?|subagents?|language model|co-authored-by|"
        r"(the|this|next|previous|in an?) (brief|issue)\b(?! tracker)|the lead\b|other engineers?)\b",
        re.IGNORECASE,
    ),
    "stub": re.compile(
        r"\b(simplified for now|for now,? we|not implemented yet|placeholder implementation)\b", re.IGNORECASE
    ),
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_words(kind: str) -> None:
    """No text of the project holds such words."""
    wrong = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1} {match.group()!r}"
        for path, text in tracked()
        if path != HERE
        for match in FORBIDDEN[kind].finditer(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_locks_name_no_index() -> None:
    """Where packages come from is the machine's setting, never the project's."""
    locks = [path for path in (ROOT / "requirements").iterdir() if path.is_file()]
    assert locks != []
    wrong = [path.name for path in locks if re.search(r"://|^\s*--(?!hash)", path.read_text(), re.MULTILINE)]
    assert not wrong, "\n".join(wrong)
