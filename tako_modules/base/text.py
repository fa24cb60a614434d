"""Words for people: sizes, durations, names, and text that must never be shown."""

import re

__all__ = ["CONTROLS", "NAME", "Secret", "duration_text", "plain_text", "sanitise_name", "size_text"]

NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")  # apps, environments and servers
# What moves a terminal's cursor, ends a line or turns the order of what is read; lone surrogates are no text at all.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_COLOURS = re.compile("\x1b\\[[0-9;:]*m")
_UNITS = ("bytes", "KB", "MB", "GB", "TB")
_STEP = 1024


class Secret:
    """A value that hides in every repr, log and traceback; `reveal()` is the one way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value itself: only to what must have it."""
        return self._value

    def __repr__(self) -> str:
        return "[secret]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def size_text(count: int) -> str:
    """Write a number of bytes: `512 bytes`, `1.50 KB`, `32.20 MB` (steps of 1024)."""
    value, unit = float(count), 0
    while value >= _STEP and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    return f"{count} bytes" if unit == 0 else f"{value:.2f} {_UNITS[unit]}"


def plain_text(text: str, *, lines: bool = True) -> str:
    """Write what others said so that it cannot steer a terminal: colours go, control characters become escapes.

    lines: line ends and tabs stay as they are.
    """
    return CONTROLS.sub(lambda found: _escaped(found[0], lines=lines), _COLOURS.sub("", text))


def _escaped(character: str, *, lines: bool) -> str:
    return character if lines and character in "\n\t" else ascii(character)[1:-1]


def duration_text(seconds: float) -> str:
    """Write a span of time: `340 ms`, `2.1 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def sanitise_name(text: str) -> str:
    """Make an app name of any text: lower case, `_ .` become `-`, other characters go; empty when nothing is left."""
    name = re.sub(r"[_. -]+", "-", text.lower())
    name = re.sub(r"[^a-z0-9-]", "", name).lstrip("-0123456789")
    return name[:63].rstrip("-")
