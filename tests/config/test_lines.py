"""Lines of keys, in every shape that TOML allows."""

from collections.abc import Iterator

import pytest
import tomli
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from tako_modules.config.lines import LineIndex
from tako_modules.config.problems import KeyPath

TEXT = '''# a comment = 1
name = "a # b"  # name = 2
"quoted key" = 1
'literal.key' = 1
"esc\\u0041ped" = 1
site . "a.b" . c = 2
text = """
name = "no"
[not.a.table] ""\\""" x""""
after_text = 1
raw = \'\'\'
[no]
it''s'\'\'\'
list = [ # one
  "a", "]",
  [1, 2],
  { x = 1,
    y = [3] }, # z = 9
]
date = 1979-05-27 07:32:00
inline = { deep.key = { x = "}" }, other = [ ] }

[servers]
instances = 2
  [ servers . la ]  # indented
  env = "production"
[[fruit]]
name = "apple"
[fruit.physical]
color = "red"
[[fruit.variety]]
name = "red"
[[fruit.variety]]
name = "golden"
[[fruit]]
name = "banana"
[[fruit.variety]]
name = "plantain"
[a.b.c]
'''

PLACES: list[tuple[KeyPath, int]] = [
    (("name",), 2),
    (("quoted key",), 3),
    (("literal.key",), 4),
    (("escAped",), 5),
    (("site", "a.b", "c"), 6),
    (("site",), 6),
    (("text",), 7),
    (("after_text",), 10),
    (("raw",), 11),
    (("list",), 14),
    (("list", 0), 15),
    (("list", 1), 15),
    (("list", 2, 1), 16),
    (("list", 3, "x"), 17),
    (("list", 3, "y", 0), 18),
    (("date",), 20),
    (("inline", "deep", "key", "x"), 21),
    (("inline", "other"), 21),
    (("servers",), 23),
    (("servers", "instances"), 24),
    (("servers", "la"), 25),
    (("servers", "la", "env"), 26),
    (("fruit", 0, "name"), 28),
    (("fruit", 0, "physical", "color"), 30),
    (("fruit", 0, "variety", 0, "name"), 32),
    (("fruit", 0, "variety", 1, "name"), 34),
    (("fruit", 1), 35),
    (("fruit", 1, "variety", 0, "name"), 38),
    (("a", "b"), 39),
]


def test_the_text_is_toml() -> None:
    tomli.loads(TEXT)


@pytest.mark.parametrize(("path", "line"), PLACES, ids=[str(path) for path, _ in PLACES])
def test_every_key_has_its_line(path: KeyPath, line: int) -> None:
    assert LineIndex(TEXT).line(path) == line


def test_line_ends_of_windows_count_once() -> None:
    index = LineIndex(TEXT.replace("\n", "\r\n"))
    assert [index.line(path) for path, _ in PLACES] == [line for _, line in PLACES]


@pytest.mark.parametrize(
    ("path", "line"),
    [(("servers", "la", "missing"), 25), (("nowhere",), 0), ((), 0)],
    ids=["nearest table", "nothing", "the whole file"],
)
def test_a_missing_key_stands_where_its_table_does(path: KeyPath, line: int) -> None:
    assert LineIndex(TEXT).line(path) == line


def test_it_knows_what_is_written() -> None:
    index = LineIndex(TEXT)
    assert ("servers", "la", "env") in index
    assert ("servers", "la", "instances") not in index


@pytest.mark.parametrize("text", ["", "\n\n", "# only", "a=1", "[a]", "a=[]\n", 'a="""\n"""'])
def test_short_texts_end(text: str) -> None:
    LineIndex(text)


KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
VALUES = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), st.floats(), st.text(st.characters(exclude_categories=["Cs"]))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)


def paths(value: object, at: KeyPath = ()) -> Iterator[KeyPath]:
    """Every path of a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*at, key)
        yield from paths(inner, (*at, key))


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_no_key_of_any_file_is_missed(tables: dict[str, object]) -> None:
    text = tomlkit.dumps(tables)
    try:
        read = tomli.loads(text)
    except tomli.TOMLDecodeError:
        return  # control characters that the writer lets through
    index = LineIndex(text)
    assert [path for path in paths(read) if path not in index] == []
