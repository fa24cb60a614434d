"""`tako`: answers the light questions itself and hands verbs to click.

Each library costs every start: what is not needed for `--help` is imported where it is used.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module

from . import table, words

__all__ = ["main"]

Hidden = Callable[[list[str]], int]


def main() -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without our arrows still gets its message
    arguments = sys.argv[1:]
    try:
        code = _answer(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read us has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _answer(arguments: list[str]) -> int:
    first = arguments[0] if arguments else ""
    if first in table.HIDDEN:
        module, _, name = table.HIDDEN[first].partition(":")
        run: Hidden = getattr(import_module(module), name)
        return run(arguments[1:])
    if arguments in ([], ["--help"], ["-h"]):
        print(words.help_text(table.top_level()))
        return 0
    if arguments in (["--version"], ["-V"]):
        print(words.version_text())
        return 0
    from . import guard

    return guard.run(arguments)
