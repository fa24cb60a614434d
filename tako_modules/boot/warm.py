"""Compile a runtime once, so that starts from a directory that nobody may write to are as fast as any other."""

import compileall
import os
import py_compile
import sys

from .start import refuse

DONE = ".compiled"  # written last: a warm-up that was killed is repeated


def warm(runtime: str, *, anew: bool) -> None:
    """Compile every module of a runtime; without `anew` only when that never came to its end."""
    done = f"{runtime}/{DONE}"
    if not anew and os.path.exists(done):
        return
    before = os.umask(0o022)  # a service's umask must not hide the bytecode from other users
    try:
        _compile(runtime)
        with open(done, "wb"):
            pass
    except OSError as error:
        refuse(f"cannot write the bytecode into {runtime}: {error.strerror}\nrun this as the directory's owner")
    finally:
        os.umask(before)
    os.sync()  # a power cut after the rename must not leave empty files behind


def _compile(runtime: str) -> None:
    # the sources of a runtime never change: bytecode that is not compared with them starts faster, and on any clock
    compileall.compile_dir(
        runtime,
        maxlevels=20,
        quiet=2,
        force=True,
        workers=os.cpu_count() or 1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    sys.stdout.flush()
