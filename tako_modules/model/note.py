"""The note of a deployment: one line of a person's words, kept with it and shown by every later look."""

from tako_modules.base.text import CONTROLS

__all__ = ["LONGEST_NOTE", "BadNote", "check_note"]

LONGEST_NOTE = 1000  # characters: every answer about releases repeats the notes


class BadNote(ValueError):
    """A note cannot be kept; the text says why."""


def check_note(text: str) -> None:
    """Check that a note is one short line without control characters; raises BadNote."""
    if len(text) > LONGEST_NOTE:
        raise BadNote(f"is longer than {LONGEST_NOTE} characters")
    found = CONTROLS.search(text)
    if found is not None:
        raise BadNote(f"has the control character {found[0]!a}, and must be one line of plain text")
