"""How this very tako is started again, as another process."""

import os
import sys
from pathlib import Path

__all__ = ["this_program"]


def this_program() -> tuple[str, ...]:
    """Give the argv prefix: the archive when we run from one, else the source tree's tako.py."""
    archive = os.environ.get("TAKO_PYZ", "")
    if archive:
        return (sys.executable, "-IS", archive)
    return (sys.executable, str(Path(__file__).parents[2] / "tako.py"))
