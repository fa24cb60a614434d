"""`__uninstall__`: take the server away from the machine this runs on; started as root by `servers uninstall`."""

import os

from tako_modules import BUILD
from tako_modules.server.setup import main

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    """Answer the request on stdin; returns the exit code."""
    return main.uninstall(os.environ.get("TAKO_PYZ", ""), BUILD)
