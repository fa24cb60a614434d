"""The downstream half of an exchange as the upstream half sees it."""

from typing import Protocol

from tako_modules.net.streams import Data

from .errors import Failure

__all__ = ["Asker"]


class Asker(Protocol):
    """The downstream half of an exchange, as far as a link needs it.

    closing: this answer is the last one of the client's connection.
    """

    method: bytes
    minor: bytes
    closing: bool

    @property
    def uploading(self) -> bool:
        """Whether the request's body is still to come."""

    @property
    def wants(self) -> bytes | None:
        """The protocol that the client asks to change to."""

    def send(self, data: Data, /) -> bool:
        """Send to the client; true when it is slow and the source should pause."""

    def stalled(self) -> None:
        """The client is slow: the link has paused until it is resumed."""

    def on_answer(self, status: int) -> None:
        """The final head is here."""

    def complete(self, sent: int) -> None:
        """The answer went out whole, with that many bytes of body."""

    def failed(self, failure: Failure) -> None:
        """There is no answer; the link is gone."""

    def cut_short(self, reason: str, sent: int) -> None:
        """The answer ended in the middle; the link is gone."""

    def on_room(self) -> None:
        """The upstream takes more of the request's body."""

    def upgraded(self, head: bytes, rest: bytes) -> None:
        """Both connections are a tunnel from now on; the link's stream and claim are the asker's."""
