"""Check tables against their structs, key by key, so that one wrong key hides no other."""

import re
from typing import Self, TypeVar, get_args, get_origin

import msgspec
import tomli

from .lines import LineIndex
from .problems import KeyPath, Problem, key_text, nearest, raise_all

__all__ = ["FloatText", "Sheet", "parse_toml", "read_table"]

T = TypeVar("T", bound=msgspec.Struct)

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "FloatText": "a number with a fraction",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
_EXPECTED = re.compile(r"Expected `(?P<want>[^`]+)`(?P<bound> (?:<=|>=|of length >=) \d+)?(?:, got `(?P<got>[^`]+)`)?")
_TWICE = ("Cannot overwrite", "Cannot declare", "Cannot mutate", "Cannot redefine")  # how tomli begins to say it
_INDEX = re.compile(r"at `\$\[(\d+)\]")


class FloatText(float):
    """A number with a fraction that knows how it was written."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Read the number and keep its text."""
        number = super().__new__(cls, text)
        number.text = text
        return number


class Sheet:
    """One file while it is read: where its keys stand, and what was found wrong so far."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._ignored: list[Problem] = []
        self._lines = LineIndex(text)

    def report(self, path: KeyPath, message: str, hint: str = "") -> None:
        """Note a problem at a key."""
        self.problems.append(
            Problem(line=self._lines.line(path), path=key_text(path), message=message, hint=hint),
        )

    def warn(self, path: KeyPath, message: str) -> None:
        """Note something that is ignored."""
        self._ignored.append(Problem(line=self._lines.line(path), path=key_text(path), message=message))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is ignored, in words."""
        return tuple(problem.text(self.file) for problem in self._ignored)

    def forget(self, path: KeyPath) -> None:
        """Drop what was found at a key and in all that is below it."""
        key = key_text(path)
        self.problems = [one for one in self.problems if not _is_below(one.path, key)]
        self._ignored = [one for one in self._ignored if not _is_below(one.path, key)]

    def written(self, path: KeyPath) -> bool:
        """Tell whether the file has this key, right or wrong."""
        return path in self._lines

    def finish(self) -> None:
        """Raise BadConfig when anything was wrong."""
        raise_all(self.file, self.problems)


def _is_below(path: str, key: str) -> bool:
    return path == key or path.startswith((f"{key}.", f"{key}["))


def parse_toml(text: str, file: str) -> dict[str, object]:
    """Read TOML; raises BadConfig with line and column."""
    try:
        return tomli.loads(text, parse_float=FloatText)
    except tomli.TOMLDecodeError as error:
        problem = _syntax_problem(error)
    except RecursionError:
        problem = Problem(message="not valid TOML: nested too deeply")
    raise_all(file, [problem])
    return {}


def _syntax_problem(error: tomli.TOMLDecodeError) -> Problem:
    """Say where TOML is broken; of a key or table that is there twice, which one it is."""
    if error.msg.startswith(_TWICE) and (index := _index_before(error)) is not None:
        path, line = index.last
        for first in (path[:depth] for depth in range(len(path), 0, -1)):
            if 0 < index.line(first) < line:
                words = f"not valid TOML: {key_text(first)} is there already, in line {index.line(first)}"
                return Problem(line=line, path=key_text(path), message=words, hint="keep one of the two")
    return Problem(line=error.lineno, message=f"not valid TOML: {error.msg} (column {error.colno})")


def _index_before(error: tomli.TOMLDecodeError) -> LineIndex | None:
    """Index the text up to an error, None when that ends within a list or an inline table."""
    try:
        return LineIndex(error.doc[: error.pos])
    except IndexError:
        return None


def read_table(kind: type[T], table: object, path: KeyPath, sheet: Sheet) -> T | None:
    """Make a struct of a table, None when that cannot be; reports every key that is unknown, wrong or missing."""
    if not isinstance(table, dict):
        sheet.report(path, f"must be a table, not {_what(table)}", f"write [{key_text(path)}]")
        return None
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, object] = {}
    for name, value in table.items():
        if name not in fields:
            elsewhere: dict[str, str] = getattr(kind, "ELSEWHERE", {})
            sheet.report((*path, name), "unknown key", elsewhere.get(name) or nearest(name, fields))
            continue
        clean = _clean(fields[name].type, value, (*path, name), sheet)
        if clean is not msgspec.UNSET:
            values[name] = clean
            _refuse_later(kind, (*path, name), sheet)
    for name in [name for name, field in fields.items() if field.required and name not in table]:
        sheet.report((*path, name), "is required", f"add {name} = … under [{key_text(path)}]")
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError:
        return None  # a required key is missing or wrong, which is reported already


def _refuse_later(kind: type[msgspec.Struct], path: KeyPath, sheet: Sheet) -> None:
    later: dict[str, str] = getattr(kind, "LATER", {})
    version = later.get(str(path[-1]))
    if version:
        sheet.report(path, f"comes with version {version} of tako", "take it out until then")


def _clean(kind: object, value: object, path: KeyPath, sheet: Sheet) -> object:
    """Give what is right of a value, UNSET when nothing is; reports what is wrong with it."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        table = read_table(kind, value, path, sheet)
        return msgspec.UNSET if table is None else table
    if (entry := _entry_struct(kind)) and isinstance(value, dict):
        tables = {name: read_table(entry, table, (*path, name), sheet) for name, table in value.items()}
        return {name: table for name, table in tables.items() if table is not None}
    return _convert(kind, value, path, sheet)


def _entry_struct(kind: object) -> type[msgspec.Struct] | None:
    """Find E in `dict[str, E]` or `dict[str, E] | None`."""
    for candidate in (kind, *get_args(kind)):
        if get_origin(candidate) is dict:
            entry = get_args(candidate)[1]
            return entry if isinstance(entry, type) and issubclass(entry, msgspec.Struct) else None
    return None


def _convert(kind: object, value: object, path: KeyPath, sheet: Sheet) -> object:
    try:
        msgspec.convert(_plain(value), kind)
    except msgspec.ValidationError as error:
        item = _INDEX.search(str(error))
        sheet.report((*path, int(item[1])) if item else path, _reason(str(error)))
        return msgspec.UNSET
    return value


def _reason(text: str) -> str:
    found = _EXPECTED.search(text)
    if not found:
        return text.partition(" - at")[0]
    want = " or ".join(_WORDS.get(word, word) for word in found["want"].split(" | ") if word != "null")
    got = f", not {_WORDS.get(found['got'], found['got'])}" if found["got"] else ""
    bound = found["bound"] or ""
    if "of length" in bound:
        return "must not be empty"
    return f"must be {want}{bound}{got}"


def _plain(value: object) -> object:
    """Turn numbers that know their text into numbers."""
    if isinstance(value, FloatText):
        return float(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _what(value: object) -> str:
    word = {bool: "true or false", int: "a whole number", str: "text", list: "a list"}.get(type(value))
    return word or "a number or a date"
