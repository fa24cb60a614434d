"""Go on with a Python that this file fits, or say what is missing: runs while it is imported and does not return.

Any Python reads this file, 2.7 too: hence no function, no annotation and no f-string.
"""

import os
import subprocess
import sys

from .stamp import TARGETS

UNFIT = 78  # EX_CONFIG of sysexits.h: nothing that a restart could heal
AGAIN = "TAKO_BOOT_ELSEWHERE"  # set for the second start, so that two interpreters cannot send each other on for ever
PROBE = (  # must say what start.interpreter_tag() says there
    "import _imp,os,sys;"
    "print(_imp.extension_suffixes()[0][1:-3]+('-'+os.uname().machine if sys.platform=='darwin' else ''))"
)
FIRST = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]  # stable places before whatever a PATH brings

archive = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
names = sorted({"python3." + tag.split("-")[1][1:] for tag in TARGETS if tag.startswith("cpython-3")})
names.append("python3")
folders = FIRST + [
    folder
    for folder in os.environ.get("PATH", "").split(os.pathsep)
    if folder.startswith("/") and "/shims" not in folder and folder not in FIRST  # a shim decides by the current folder
]
if AGAIN not in os.environ:
    os.environ[AGAIN] = "1"
    for path in [os.path.join(folder, name) for name in names for folder in folders]:
        if not os.access(path, os.X_OK) or os.path.isdir(path):
            continue
        try:
            process = subprocess.Popen([path, "-IS", "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            said = process.communicate()[0].decode("ascii", "replace").strip()
        except OSError:  # a broken link or a foreign binary: the next one may do
            continue
        if said in TARGETS:
            sys.argv[:1] = [path, "-IS", archive]
            os.execv(path, sys.argv)  # noqa: S606 - no shell is meant

sys.stderr.write(
    "tako: this file runs on " + ", ".join(names[:-1]) + " (" + ", ".join(sorted(TARGETS)) + "), but this is "
    "Python " + sys.version.split()[0] + " in " + sys.executable + "\n"
    "install one of them (Debian, Ubuntu: `apt-get install python3`), or build the file anew with the Python you have: "
    "`python3 build_zipapp.py --host-only`\n"
)
sys.exit(UNFIT)
