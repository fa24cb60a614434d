"""`__pip__ ARGS…`: the pip in the archive, so that a server needs python3 and nothing else."""

import sys

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    """Run pip in this process with these arguments; returns its exit code.

    It installs into other environments (`--python VENV/bin/python install …`, or `install --target DIR …`); this
    process' own search path is the runtime, which nothing may change.
    """
    from pip._internal.cli.main import main

    sys.argv = ["pip", *arguments]
    return main(arguments)
