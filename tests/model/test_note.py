"""What may be kept as a note."""

import pytest

from tako_modules.model.note import LONGEST_NOTE, BadNote, check_note


@pytest.mark.parametrize("text", ["", "Neue Preise – 50 % 🎉", "👩\u200d💻", "x" * LONGEST_NOTE])
def test_a_line_of_any_language_is_a_note(text: str) -> None:
    check_note(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * (LONGEST_NOTE + 1), "longer than 1000 characters"),
        ("a\nb", r"'\\n'"),
        ("a\tb", r"'\\t'"),
        ("\x1b]0;title\x07", r"'\\x1b'"),
        ("\x9b31m", r"'\\x9b'"),
        ("\u202egnp.exe", r"'\\u202e'"),
        ("\udcff", r"'\\udcff'"),
    ],
)
def test_what_could_steer_a_terminal_is_none(text: str, why: str) -> None:
    with pytest.raises(BadNote, match=why):
        check_note(text)
