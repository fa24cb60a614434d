"""The texts of the door."""

from tako_modules.cli.words import error_text


def test_an_error_is_its_message_and_a_line_per_hint() -> None:
    assert error_text("broken:\nboth", "do this\nor that") == "tako: broken:\nboth\n  → do this\n  → or that"


def test_an_error_of_others_steers_no_terminal() -> None:
    assert error_text("it says \x1b[2J", "try \x07") == "tako: it says \\x1b[2J\n  → try \\x07"
