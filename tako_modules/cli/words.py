"""The texts of the door that need no library: help, the version, an error and its hint."""

from collections.abc import Mapping

from tako_modules import BUILD, VERSION
from tako_modules.base.text import plain_text

__all__ = ["error_text", "help_text", "version_text"]

ABOUT = "Ship apps to your own servers with one file."


def help_text(listed: Mapping[str, str], prefix: str = "", about: str = ABOUT) -> str:
    """Write the help of `tako`, or of a group: a line per verb."""
    width = max(map(len, listed), default=0)
    lines = [f"Usage: tako {prefix}VERB [OPTIONS]", "", about, ""]
    lines += [f"  {name:{width}}  {sentence}" for name, sentence in listed.items()]
    lines += ["", f"`tako {prefix}VERB --help` tells a verb's options."]
    return "\n".join(lines)


def version_text() -> str:
    """Write which tako this is; the boot of the archive answers with the same words."""
    return f"tako {VERSION} (build {BUILD})"


def error_text(message: str, hint: str) -> str:
    """Write what happened and the next thing to do."""
    lines = [f"tako: {plain_text(message)}"]
    if hint:
        lines += [f"  → {plain_text(line)}" for line in hint.splitlines()]
    return "\n".join(lines)
