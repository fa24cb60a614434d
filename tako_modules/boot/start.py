"""The warm path: find the unpacked runtime of this build, put it first on the search path, call the door.

Everything in here is compiled anew at every start, since zipimport keeps no bytecode: it stays short.
"""

import _imp
import importlib
import os
import sys
from typing import NoReturn

from . import roots
from .stamp import BUILD, ENTRY, TARGETS

UNFIT = 78  # EX_CONFIG of sysexits.h: nothing that a restart could heal
CANCELLED = 5  # the exit code of base.errors.Cancelled
AGAIN = ("TAKO_BOOT_ELSEWHERE", "TAKO_BOOT_REREAD")  # marks that one start leaves for the next


def enter() -> NoReturn:
    """Start tako; ends the process with its exit code."""
    tag = interpreter_tag()
    if tag not in TARGETS:
        importlib.import_module(".elsewhere", __package__)
    archive = os.path.realpath(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.pycache_prefix = None
    reread = AGAIN[1] in os.environ
    for name in [name for name in os.environ if name.startswith("PYTHON") or name in AGAIN]:
        del os.environ[name]
    os.environ["TAKO_PYZ"] = archive
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    installs = command in {"__warm__", "__prepare__"}
    if installs and os.path.lexists(roots.beside(archive)):
        os.environ.setdefault("TAKO_CACHE", roots.beside(archive))  # an installation is not served by root's own cache
    try:
        runtime = roots.find(archive, f"{BUILD}-{tag}") or _cold(archive, tag, reread)
        if installs:
            _warm(runtime, anew=command == "__warm__")
        _run(runtime)
    except KeyboardInterrupt:
        sys.exit(CANCELLED)


def interpreter_tag() -> str:
    """Name the binary interface of this interpreter: `cpython-311-x86_64-linux-gnu`; on macOS with the machine."""
    machine = f"-{os.uname().machine}" if sys.platform == "darwin" else ""
    return _imp.extension_suffixes()[0][1:-3] + machine


def refuse(message: str) -> NoReturn:
    """End the process with a message that names the next step."""
    sys.stderr.write(f"tako: {message}\n")
    sys.exit(UNFIT)


def _cold(archive: str, tag: str, reread: bool) -> str:
    try:
        unpack = importlib.import_module(".unpack", __package__)
        found: str = unpack.runtime(archive, f"{BUILD}-{tag}", TARGETS[tag])
    except Exception as error:
        # an upgrade replaced the file between two reads of it: names are compared, for both classes cost an import
        if type(error).__name__ not in {"ZipImportError", "BadZipFile"}:
            raise
        if reread:
            refuse(f"{archive} is damaged: {error}\ncopy or build it anew")
        os.environ[AGAIN[1]] = "1"
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - no shell is meant
    return found


def _warm(runtime: str, *, anew: bool) -> NoReturn:
    warm = importlib.import_module(".warm", __package__)
    warm.warm(runtime, anew=anew)
    sys.exit(0)


def _run(runtime: str) -> NoReturn:
    sys.path.insert(0, runtime)
    # bytecode goes beside the sources only where nobody else reads it
    sys.dont_write_bytecode = not roots.private(runtime)
    try:
        main = importlib.import_module(ENTRY).main
    except (ImportError, SyntaxError, AttributeError, EOFError, ValueError) as error:  # a power cut leaves empty files
        refuse(
            f"the unpacked runtime in {runtime} is damaged: {error}\n"
            f"remove it with `rm -r {runtime}` and run the command again"
        )
    sys.exit(main())
