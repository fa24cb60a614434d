"""The test command's one error: it cannot go on, and what to do about it."""

__all__ = ["Trouble"]


class Trouble(Exception):
    """What keeps the tests from running; `hint` says what to do."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
