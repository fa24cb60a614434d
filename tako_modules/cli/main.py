"""`tako`: answers the light questions itself and hands verbs to click.

Each library costs every start: what is not needed for `--help` is imported where it is used.
"""

import sys
from collections.abc import Callable
from importlib import import_module

from . import streams, table, words

__all__ = ["main"]

Hidden = Callable[[list[str]], int]


def main() -> int:
    """Run the command line; returns the exit code."""
    streams.open_closed()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without our arrows still gets its message
    arguments = sys.argv[1:]
    code = 0
    try:
        code = _answer(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read us has read enough
        streams.give_up()
        return 1
    except streams.Unwritten as lost:
        streams.give_up()
        if not code:  # else it was told with what failed
            print(words.error_text(lost.message, lost.hint), file=sys.stderr)
        return code or lost.exit_code
    return code


def _answer(arguments: list[str]) -> int:
    first = arguments[0] if arguments else ""
    if first in table.HIDDEN:
        module, _, name = table.HIDDEN[first].partition(":")
        run: Hidden = getattr(import_module(module), name)
        return run(arguments[1:])
    streams.watch()
    if arguments in ([], ["--help"], ["-h"]):
        print(words.help_text(table.top_level()))
        return 0
    if arguments in (["--version"], ["-V"]):
        print(words.version_text())
        return 0
    from . import guard

    return guard.run(arguments)
