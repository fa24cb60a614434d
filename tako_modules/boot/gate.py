"""The first code of a started file: answer `--version`, send an old Python away, else go on to `start`.

Any Python reads this file, 2.7 too: hence no function, no annotation and no f-string.
"""

import sys

from .stamp import BUILD, VERSION

if sys.argv[1:] in (["--version"], ["-V"]):
    sys.stdout.write("tako " + VERSION + " (build " + BUILD + ")\n")
    sys.exit(0)
if sys.hexversion < 0x030B00F0:
    __import__("_bootstrap.elsewhere")

from .standard import standard_paths

sys.path[:] = standard_paths(sys.path)

from .start import enter  # noqa: E402 - what it imports must come from the standard library

__all__ = ["enter"]
