"""The search path that the interpreter itself brings; imports nothing that a hostile path could bring instead."""

import os
import sys


def standard_paths(paths: list[str]) -> list[str]:
    """Keep of a search path the standard library: not PYTHONPATH, the current folder or installed packages."""
    library = os.path.dirname(os.__file__)
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    extensions = f"{sys.base_exec_prefix}/{sys.platlibdir}/{os.path.basename(library)}/lib-dynload"
    standard = {f"{os.path.dirname(library)}/python{version}.zip", library, f"{library}/lib-dynload", extensions}
    return [path for path in dict.fromkeys(paths) if path in standard]
