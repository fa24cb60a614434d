"""Lines, whatever the chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tako_modules.telemetry.lines import CUT, Splitter, spoken_time
from tako_modules.telemetry.logfile import LINE_LIMIT


def lines_of(chunks: list[bytes]) -> list[tuple[int, str]]:
    splitter = Splitter()
    found = [line for chunk in chunks for line in splitter.feed(chunk)]
    if splitter.waiting:
        found.append((splitter.begin, splitter.take()))
    return found


@given(
    some.lists(some.sampled_from([b"a", b"bc\r\n", b"\n", b"\xff", "ü".encode(), b"d\ne"]), max_size=20), some.data()
)
def test_any_chunking_gives_the_same_lines_and_offsets(words: list[bytes], data: some.DataObject) -> None:
    whole = b"".join(words)
    cuts = sorted(data.draw(some.lists(some.integers(0, len(whole)), max_size=5)))
    chunks = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    found = lines_of(chunks)
    assert found == lines_of([whole])
    expected = whole.split(b"\n")
    assert [text for _, text in found] == [
        line.removesuffix(b"\r").decode(errors="replace") for line in (expected[:-1] if not expected[-1] else expected)
    ]
    assert all(begin == 0 or whole[begin - 1 : begin] == b"\n" for begin, _ in found)


@pytest.mark.parametrize("extra", [0, 1, LINE_LIMIT, 5 * LINE_LIMIT])
def test_a_long_line_is_cut_and_the_next_one_is_whole(extra: int) -> None:
    long = b"x" * (LINE_LIMIT + extra)
    for chunks in ([long + b"\nnext\n"], [long[:100], long[100:], b"\nne", b"xt\n"]):
        first, second = lines_of(chunks)
        assert first == (0, "x" * LINE_LIMIT + (CUT if extra else ""))
        assert second == (len(long) + 1, "next")


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("1970-01-02T00:00:01Z hello", 86401.0),
        ("[1970-01-02 00:00:01.250] hello", 86401.25),
        ("1970-01-02 00:00:01,5 INFO", 86401.5),
        ("1970-01-02T01:00:01+01:00", 86401.0),
        ('"1970-01-02T00:00:01.123456789Z"', 86401.123456),
        ("1970-13-02 00:00:01", None),
        ("hello 1970-01-02T00:00:01Z", None),
        ("", None),
    ],
)
def test_times_that_lines_begin_with(text: str, when: float | None) -> None:
    assert spoken_time(text) == when
