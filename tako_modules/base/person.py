"""Who runs this program, in words that a colleague understands."""

import getpass
import os

__all__ = ["user_name"]


def user_name() -> str:
    """Name the user, by number where the machine has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
