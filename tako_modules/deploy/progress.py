"""What a program tells while it works; the door words it for a terminal, a pipe or NDJSON."""

from typing import Protocol

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """Hears of steps; `server` is "" for what happens on this machine."""

    def step(self, server: str, text: str) -> None:
        """Say that something begins, which the next step of that server ends: one that failed is ended by `end`."""
        ...

    def line(self, server: str, text: str) -> None:
        """Pass on what is told while a step runs: a line that a command printed, a fact of a rollout."""
        ...

    def sent(self, server: str, sent: int, total: int) -> None:
        """Tell how many bytes of an upload have left."""
        ...

    def end(self, server: str, *, ok: bool = True) -> None:
        """Say that a server's last step is over."""
        ...


class Silent:
    """Says nothing."""

    def step(self, server: str, text: str) -> None:
        """Say nothing."""

    def line(self, server: str, text: str) -> None:
        """Say nothing."""

    def sent(self, server: str, sent: int, total: int) -> None:
        """Say nothing."""

    def end(self, server: str, *, ok: bool = True) -> None:
        """Say nothing."""
