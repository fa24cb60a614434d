"""Take the members of a JSON object one by one, each checked; what nobody took is refused."""

import json

__all__ = ["WORD_LIMIT", "Fields", "Refused"]

WORD_LIMIT = 255  # characters of an id or a path component in a request


class Refused(Exception):
    """A request, or a kept state, is not what the protocol says."""


class Fields:
    """The members of one JSON object; null means absent."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise Refused("not a JSON object")
        self._left: dict[str, object] = {str(name): member for name, member in value.items() if member is not None}

    @classmethod
    def from_json(cls, data: bytes) -> "Fields":
        """Read an object; raises Refused when the bytes are none."""
        try:
            value: object = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Refused(f"not JSON: {error}") from error
        return cls(value)

    def has(self, name: str) -> bool:
        """Tell whether a member is there and not yet taken."""
        return name in self._left

    def glance(self, name: str) -> str:
        """Read a text without taking it; empty when it is none."""
        value = self._left.get(name)
        return value if isinstance(value, str) else ""

    def text(self, name: str, default: str | None = None) -> str:
        """Take a text."""
        value = self._take(name, default)
        if not isinstance(value, str):
            raise Refused(f"{name} is not a text")
        return value

    def word(self, name: str) -> str:
        """Take an id: a text that is not empty and not long."""
        value = self.text(name)
        if not 0 < len(value) <= WORD_LIMIT:
            raise Refused(f"{name} has not 1 to {WORD_LIMIT} characters")
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """Take one of several words."""
        value = self.text(name, default)
        if value not in allowed:
            raise Refused(f"{name} is not one of {', '.join(allowed)}")
        return value

    def flag(self, name: str) -> bool:
        """Take true or false; absent is false."""
        value = self._take(name, False)
        if not isinstance(value, bool):
            raise Refused(f"{name} is not true or false")
        return value

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Take a whole number between two bounds, both allowed."""
        return self._number(name, self._take(name, default), low, high)

    def some_number(self, name: str, low: int, high: int) -> int | None:
        """Take a number, or None when it is absent."""
        return self.number(name, low, high) if self.has(name) else None

    def seconds(self, name: str) -> float:
        """Take a time, a number with a fraction."""
        value = self._take(name, None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused(f"{name} is not a number")
        return float(value)

    def numbers(self, name: str, low: int, high: int) -> tuple[int, ...]:
        """Take a list of numbers; absent is empty."""
        return tuple(self._number(name, value, low, high) for value in self.items(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of texts; absent is empty."""
        values = self.items(name)
        texts = tuple(value for value in values if isinstance(value, str))
        if len(texts) < len(values):
            raise Refused(f"{name} is not a list of texts")
        return texts

    def items(self, name: str) -> list[object]:
        """Take a list of anything; absent is empty."""
        value = self._take(name, [])
        if not isinstance(value, list):
            raise Refused(f"{name} is not a list")
        return list(value)

    def members(self, name: str) -> dict[str, object]:
        """Take an object as a dictionary."""
        value = self._take(name, None)
        if not isinstance(value, dict):
            raise Refused(f"{name} is not an object")
        return {str(key): member for key, member in value.items()}

    def variables(self, name: str) -> dict[str, str]:
        """Take an environment: an object of texts."""
        members = self.members(name)
        texts = {key: value for key, value in members.items() if isinstance(value, str)}
        if len(texts) < len(members):
            raise Refused(f"{name} has a value that is not a text")
        return texts

    def end(self) -> None:
        """Refuse what nobody took."""
        if self._left:
            raise Refused(f"unknown key {', '.join(sorted(self._left))}")

    def _take(self, name: str, default: object) -> object:
        value = self._left.pop(name, default)
        if value is None:
            raise Refused(f"{name} is missing")
        return value

    def _number(self, name: str, value: object, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Refused(f"{name} is not a number from {low} to {high}")
        return value
