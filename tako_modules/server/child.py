"""The processes that init starts, from their command lines: control and a worker."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tako_modules.supervisor.spawn import Programs

from .options import ServeOptions

__all__ = ["programs", "run_control", "run_worker"]


def programs(tako: Sequence[str]) -> Programs:
    """Tell what recipes' placeholders stand for; tako: the argv prefix of this very program."""
    return Programs(tako=tuple(tako), pip=(*tako, "__pip__"), python=sys.executable)


def run_control(text: str, tako: Sequence[str], *, version: str, build: str) -> int:
    """Be the control process; text: the options as JSON."""
    from . import main

    os.chdir("/")
    options = msgspec.json.decode(text, type=ServeOptions)
    Path(options.data_dir).mkdir(parents=True, exist_ok=True)
    return main.run(options, programs(tako), version=version, build=build)


def run_worker(names: Sequence[str]) -> int:
    """Be a data-plane worker; names: of the listeners, in the order of their descriptors."""
    from tako_modules.proxy import main

    main.run(list(names))
    return 0
