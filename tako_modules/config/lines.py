"""On which line of a TOML text each key stands; the parsers tell values only.

The text has passed a TOML parser before, so this scanner follows its shape and checks nothing.
"""

import re

import tomli

from .problems import KeyPath, key_text

__all__ = ["LineIndex"]

_BARE_KEY = re.compile(r"[^\s.=\[\]\"'#]+")
_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")  # space, line ends and comments
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}'),  # up to two quotes may stand before the closing three
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}"),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


class LineIndex:
    """The line of every key path; list items have their number in the path.

    headers: the lines of all table headers; last: the key or header at the end of the text, with the line it begins on.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line, self._counted = 1, 0
        self._lines: dict[KeyPath, int] = {}
        self._arrays: dict[KeyPath, int] = {}
        self.headers: list[int] = []
        self.last: tuple[KeyPath, int] = ((), 0)
        self._scan()

    def line(self, path: KeyPath) -> int:
        """Tell the line of a key, or of the nearest table around it; 0 when there is none."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return 0

    def by_text(self) -> dict[str, int]:
        """Tell the line of every key that is written, by the text that problems name it with."""
        return {key_text(path): line for path, line in self._lines.items()}

    def __contains__(self, path: KeyPath) -> bool:
        return path in self._lines

    def _scan(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        many = self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        path = self._inside(self._key())
        self._note(path)
        self.last = (path, self._line)
        if many:
            self._arrays[path] = self._arrays.get(path, -1) + 1
            path = (*path, self._arrays[path])
            self._note(path)
        self.headers.append(self._line)
        self._at += 2 if many else 1
        return path

    def _inside(self, key: KeyPath) -> KeyPath:
        """Put the number of the newest item behind each list of tables that a header passes through."""
        path: KeyPath = ()
        for part in key[:-1]:
            path = (*path, part)
            self._note(path)
            if path in self._arrays:
                path = (*path, self._arrays[path])
        return (*path, key[-1])

    def _pair(self, table: KeyPath) -> None:
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path)
        line = self._line
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)
        self.last = (path, line)

    def _key(self) -> tuple[str, ...]:
        parts = []
        while True:
            self._skip(_SPACE)
            parts.append(self._key_word())
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return tuple(parts)
            self._at += 1

    def _key_word(self) -> str:
        start = self._at
        if self._text[start] in "\"'":
            self._skip_string()
            return str(tomli.loads(f"key = {self._text[start : self._at]}")["key"])
        self._skip(_BARE_KEY)
        return self._text[start : self._at]

    def _value(self, path: KeyPath) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline_table(path)
        elif opening in "\"'":
            self._skip_string()
        else:
            self._skip(_SCALAR)

    def _list(self, path: KeyPath) -> None:
        self._at += 1
        number = 0
        self._skip(_BLANK)
        while self._text[self._at] != "]":
            self._note((*path, number))
            self._value((*path, number))
            number += 1
            self._skip_comma()
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._pair(path)
            self._skip_comma()
        self._at += 1

    def _skip_comma(self) -> None:
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)

    def _skip_string(self) -> None:
        for pattern in _STRINGS:
            if found := pattern.match(self._text, self._at):
                self._at = found.end()
                return

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if found := pattern.match(self._text, self._at):
            self._at = found.end()

    def _note(self, path: KeyPath) -> None:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        self._lines.setdefault(path, self._line)
