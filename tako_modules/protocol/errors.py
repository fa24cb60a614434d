"""What can be wrong with the bytes or fields of a message."""

import msgspec

__all__ = ["UNREADABLE", "FrameError", "MessageError"]

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)  # what msgspec raises for bytes of a stranger


class FrameError(Exception):
    """The peer broke the framing: the connection cannot go on."""


class MessageError(Exception):
    """A message cannot be read; `code` is the wire's word: invalid, unknown_command or comes_later."""

    def __init__(self, message: str, *, code: str = "invalid", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
