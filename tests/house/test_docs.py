"""Generated references are fresh, and links between documents lead somewhere."""

import importlib
import re

from .sources import ROOT, tracked

GENERATED: dict[str, str] = {
    "docs/reference/config.md": "tako_modules.config.reference:render",
}
"""Document → `module:function` that gives its text; add a line here with each generator."""

LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def test_references_are_fresh() -> None:
    """A reference is written by its generator and by nobody else."""
    stale = [document for document, maker in GENERATED.items() if (ROOT / document).read_text() != _text(maker)]
    assert stale == []


def _text(maker: str) -> str:
    module, _, function = maker.partition(":")
    text: str = getattr(importlib.import_module(module), function)()
    return text


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
