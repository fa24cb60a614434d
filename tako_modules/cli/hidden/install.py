"""`__install__`: make the machine this runs on a server; started as root over SSH by `servers add`."""

import os

from tako_modules import BUILD
from tako_modules.server.setup import main

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    """Answer the request on stdin; returns the exit code."""
    return main.install(os.environ.get("TAKO_PYZ", ""), BUILD)
