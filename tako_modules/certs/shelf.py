"""The certificates on disk: `<folder>/<domain>/fullchain.pem` and `privkey.pem`, put there by people or made by us.

What we made carries a mark in front of both files (PEM readers skip it). A folder with any file that lacks the mark is
somebody's: it is read and never written.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from tako_modules.base import files

from .pair import BadPair, Details, Pair

__all__ = ["Found", "Shelf", "folder_name"]

SIZE_LIMIT = 1 << 20  # bytes of one file: a long chain has ten thousand
CHAIN, KEY = "fullchain.pem", "privkey.pem"
_MARK = "# made by tako ("
_Seen = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One domain's certificate as it was last read.

    pair, details: the last that were good, None when there never was one; made: by us, so that anything else is better;
    mark: whose issuer made it; problem: what is wrong with the files as they are now, "" when nothing is.
    """

    domain: str
    pair: Pair | None = None
    details: Details | None = None
    made: bool = False
    mark: str = ""
    problem: str = ""


class Shelf:
    """Reads what has changed since the last look, and writes what we make."""

    def __init__(self, folder: Path) -> None:
        self.found: dict[str, Found] = {}
        self._folder = folder
        self._seen: dict[str, _Seen] = {}

    def scan(self) -> bool:
        """Look at all folders; True when something is new, different or gone. Bad files keep the last good pair."""
        present = {domain: _seen(self._folder / domain) for domain in self._domains()}
        gone = self.found.keys() - present.keys()
        for domain in gone:
            del self.found[domain]
        changed = [domain for domain, seen in present.items() if self._seen.get(domain) != seen]
        for domain in changed:
            self.found[domain] = self._read(domain)
        self._seen = present
        return bool(gone or changed)

    def write(self, host: str, pair: Pair, mark: str) -> bool:
        """Put a pair that we made on disk; False when the host's folder is somebody's. Raises OSError."""
        folder = self._folder / folder_name(host)
        if not _is_ours(folder):
            return False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        header = f"{_MARK}{mark}); put a real certificate and its key here and they will be used\n"
        files.write_atomic(folder / KEY, (header + pair.key).encode(), 0o600)
        files.write_atomic(folder / CHAIN, (header + pair.chain).encode(), 0o644)
        return True

    def _domains(self) -> list[str]:
        try:
            with os.scandir(self._folder) as entries:
                return [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
        except FileNotFoundError:
            return []

    def _read(self, domain: str) -> Found:
        from . import parsing

        folder = self._folder / domain
        try:
            chain, key = _text(folder / CHAIN), _text(folder / KEY)
            made, mark = _mark(chain)
            pair = Pair(chain=_unmarked(chain), key=_unmarked(key))
            details = parsing.examine(pair)
        except BadPair as error:
            problem = f"{folder}: {error.message}"
        except FileNotFoundError as error:
            problem = f"{error.filename} is missing"
        except OSError as error:
            problem = f"cannot read {error.filename}: {error.strerror}"
        else:
            return Found(domain, pair, details, made, mark, "" if made else _warning(folder / KEY))
        old = self.found.get(domain, Found(domain))
        return Found(domain, old.pair, old.details, old.made, old.mark, problem)


def folder_name(host: str) -> str:
    """Name the folder of a host; `*` is spelt out, with an underscore, which no host name has."""
    return host.replace("*", "_wildcard")


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder may be written: no file in it is somebody's, so a crash of ours between two is mended."""
    try:
        return all(_mark(_text(path))[0] for path in (folder / CHAIN, folder / KEY) if path.exists())
    except BadPair:
        return False


def _mark(text: str) -> tuple[bool, str]:
    """Tell whether a file is of our making, and by which issuer."""
    return text.startswith(_MARK), text.removeprefix(_MARK).partition(")")[0] if text.startswith(_MARK) else ""


def _unmarked(text: str) -> str:
    return text.partition("\n")[2] if text.startswith(_MARK) else text


def _warning(key: Path) -> str:
    try:
        is_open = key.stat().st_mode & 0o077
    except OSError:
        return ""  # replaced at this moment: the next look tells
    return f"{key} can be read by others than its owner: run `chmod 600 {key}`" if is_open else ""


def _seen(folder: Path) -> _Seen:
    """Tell what changes when one of the files is replaced or written: mtime, size, inode; None where it is missing."""
    return tuple(_stamp(folder / name) for name in (CHAIN, KEY))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _text(path: Path) -> str:
    with open(path, "rb") as file:
        data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise BadPair(f"{path.name} is larger than {SIZE_LIMIT} bytes")
    return data.decode(errors="replace")
