"""The only way to run a command on a host: SSH in production, scripted answers in tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tako_modules.base.process import Result

__all__ = ["Result", "Shell"]


class Shell(Protocol):
    """Runs argv lists on one host as one user, never through a shell pipeline of ours."""

    @property
    def name(self) -> str:
        """How messages call the host."""
        ...

    async def run(self, *argv: str, stdin: bytes = b"", timeout: float = 60) -> Result:
        """Run a command to its end; raises Unreachable when the connection ends, TakoError when it takes too long."""
        ...

    async def put(
        self, source: Path | bytes, remote: str, *, mode: int = 0o644, progress: Callable[[int], None] | None = None
    ) -> None:
        """Write a file whole or not at all, verified by SHA-256; progress: bytes that were sent."""
        ...
