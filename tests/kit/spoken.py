"""What a failure owes to a person: what happened, why, and the next command to type; never a traceback."""

import re

from tests.cli.test_examples import parse

from .commands import Ran

__all__ = ["assert_spoken"]

COMMAND = re.compile(r"`([^`]+)`")
LAST = re.compile(r"^tako: (?P<what>.+(?:\n(?!  → ).+)*)\n(?P<hint>(?:  → .+\n)+)", re.MULTILINE)


def assert_spoken(done: Ran, code: int, *words: str) -> None:
    """The failure has this exit code, these words, and names commands; those of Tako are ones that it takes."""
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    assert [word for word in words if word not in done.err] == [], done.err
    told = LAST.search(done.err)
    assert told is not None, f"what happened, and below it `→` with what to do:\n{done.err}"
    commands = COMMAND.findall(told["hint"])
    assert commands, f"no command to type next:\n{done.err}"
    for command in commands:
        if command.startswith("tako "):
            parse(command)
