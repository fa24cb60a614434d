"""Words for people."""

import pytest

from tako_modules.base.text import plain_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Größe → 5", "Größe → 5"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb", r"a\rb"),
        ("\x9bA", r"\x9bA"),
        ("\u202ex", r"\u202ex"),
        ("a\n\tb", "a\n\tb"),
    ],
)
def test_nothing_steers_a_terminal(text: str, expected: str) -> None:
    assert plain_text(text) == expected


def test_in_one_line_its_end_is_shown_too() -> None:
    assert plain_text("a\n\tb", lines=False) == r"a\n\tb"
