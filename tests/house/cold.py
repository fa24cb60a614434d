"""Which modules a start imports, as the interpreter itself reports them."""

import re
import subprocess
from collections.abc import Sequence

__all__ = ["HEAVY", "heavy_imports"]

HEAVY = {"asyncio", "anyio", "asyncssh", "OpenSSL", "cryptography", "starlette", "textual", "requests", "rich"}
LINE = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)


def heavy_imports(python: str, argv: Sequence[str]) -> list[str]:
    """Start a program with `-X importtime`; name the heavy packages it imported."""
    done = subprocess.run([python, "-X", "importtime", *argv], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr[-2000:]
    imported = {name.split(".")[0] for name in LINE.findall(done.stderr)}
    assert imported, "the interpreter reported nothing"
    return sorted(imported & HEAVY)
