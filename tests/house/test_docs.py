"""Generated references are fresh, and links between documents lead somewhere."""

import re

from tests.docs import pages

from .sources import ROOT, tracked

LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def test_references_are_fresh() -> None:
    """A reference is written by its generator and by nobody else."""
    made = pages.texts()
    stale = [path for path, text in made.items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text]
    assert stale == [], "run `python3 -m tests fix`"


def test_generated_folders_hold_nothing_else() -> None:
    """A document whose maker is gone goes too."""
    there = {path.relative_to(ROOT).as_posix() for folder in pages.FOLDERS for path in (ROOT / folder).iterdir()}
    assert there - pages.texts().keys() == set()


def test_links_lead_somewhere() -> None:
    """Every relative link names a file of the checkout."""
    broken = [
        f"{path} → {target}"
        for path, text in tracked()
        if path.endswith(".md")
        for target, _ in LINK.findall(FENCED.sub("", text))
        if not ((ROOT / path).parent / target).exists()
    ]
    assert broken == []
