"""Name a build after what is in it: the same content always has the same version."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tako_modules.base.files import disk_errors, file_digest

from .source import Entry

__all__ = ["content_digest", "version_name"]

_SHORT = 8  # hex digits of the content in a name: enough among the builds of one app


def version_name(commit: str, digest: str) -> str:
    """Give `<commit>_<hash8>`, or `nogit_<hash8>` without a commit; a clean tree is called by its commit alone."""
    return f"{commit or 'nogit'}_{digest[:_SHORT]}"


def content_digest(folder: Path, entries: Sequence[Entry], settings: bytes = b"") -> str:
    """Hash names, modes and contents of all entries: SHA-256 in hex; settings: what decides how they run."""
    whole = hashlib.sha256(settings)
    with disk_errors("read the project's files"):
        for entry in entries:
            content = entry.target or file_digest(folder / entry.path)
            kind = "link" if entry.target else "program" if entry.executable else "file"
            whole.update(f"{kind}\0{entry.path}\0{content}\0".encode(errors="surrogateescape"))
    return whole.hexdigest()
