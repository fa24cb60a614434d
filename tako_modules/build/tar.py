"""Read tar as `archive` writes it: files, folders, links, and the `x` headers of long names; all else is refused.

Python's tarfile is not used to read: it holds whatever a header announces in memory. Format: POSIX.1-2001 (pax).
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from tako_modules.base.errors import TakoError

__all__ = ["Damaged", "Header", "TarReader"]

_BLOCK = 512
_PIECE = 1 << 18  # bytes of content read at a time
_SIZE_DIGITS = 20  # of a size in bytes: more is not meant
_EXTENDED_LIMIT = 65_536  # bytes of one `x` header: two paths and a size
_KINDS = {b"0": "file", b"\0": "file", b"5": "folder", b"2": "link"}
_REFUSED = {
    b"1": "a hard link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a fifo",
    b"7": "a contiguous file",
    b"S": "a sparse file",
    b"g": "a global header",
    b"L": "a GNU long name",
    b"K": "a GNU long link",
}


class Damaged(TakoError):
    """The bytes are not an archive of ours."""


class Source(Protocol):
    """Where the bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes, none at the end."""
        ...


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: kind is file, folder or link; target: what a link holds."""

    kind: str
    path: str
    mode: int
    size: int
    target: str = ""


class TarReader:
    """Entries one after the other; the content of each must be read before the next."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def headers(self) -> Iterator[Header]:
        """Give every entry; raises Damaged."""
        extended: dict[str, str] = {}
        while (block := self._exactly(_BLOCK)).strip(b"\0"):
            _check_sum(block)
            kind, size = block[156:157], _number(block[124:136])
            if kind == b"x":
                extended = self._extended(size)
                continue
            yield _header(block, extended)
            extended = {}
        self._to_the_end()

    def _to_the_end(self) -> None:
        """Read what stands behind the last entry: zeros only, and whatever checks the source makes at its end."""
        while piece := self._source.read(_PIECE):
            if piece.strip(b"\0"):
                raise Damaged("the archive goes on behind its end")

    def content(self, size: int) -> Iterator[bytes]:
        """Give the content of the entry whose header came last, in pieces."""
        left = size
        while left:
            piece = self._source.read(min(left, _PIECE))
            if not piece:
                raise Damaged("the archive ends in the middle of a file")
            left -= len(piece)
            yield piece
        self._exactly(-size % _BLOCK)

    def _extended(self, size: int) -> dict[str, str]:
        if size > _EXTENDED_LIMIT:
            raise Damaged(f"the archive has an extended header of {size} bytes")
        data = self._exactly(size)
        self._exactly(-size % _BLOCK)
        records: dict[str, str] = {}
        while data:
            length, space, _ = data.partition(b" ")
            end = int(length) if length.isdigit() and len(length) < 6 else 0
            name, equals, value = data[len(length) + 1 : end - 1].partition(b"=")
            if not space or not equals or end > len(data) or data[end - 1 : end] != b"\n":
                raise Damaged("the archive has a broken extended header")
            records[_text(name)] = _text(value)
            data = data[end:]
        return records

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._source.read(size - len(data))
            if not piece:
                raise Damaged("the archive ends too early")
            data += piece
        return data


def _header(block: bytes, extended: dict[str, str]) -> Header:
    kind = block[156:157]
    path = extended.get("path") or _joined(block)
    if kind not in _KINDS:
        what = _REFUSED.get(kind, f"an entry of type {kind!r}")
        raise Damaged(f"the archive has {what}: {path}", hint="ship plain files, folders and relative links")
    if strange := extended.keys() - {"path", "linkpath", "mtime", "size"}:
        raise Damaged(f"the archive has an extended header that is not known: {min(strange)}")
    size = extended.get("size")
    if size is not None and not (size.isascii() and size.isdigit() and len(size) < _SIZE_DIGITS):
        raise Damaged("the archive has an extended header whose size is not a number")
    return Header(
        kind=_KINDS[kind],
        path=path.removesuffix("/") if kind == b"5" else path,
        mode=_number(block[100:108]),
        size=int(size or _number(block[124:136])) if kind in (b"0", b"\0") else 0,
        target=(extended.get("linkpath") or _field(block[157:257])) if kind == b"2" else "",
    )


def _joined(block: bytes) -> str:
    name, prefix = _field(block[0:100]), _field(block[345:500])
    return f"{prefix}/{name}" if prefix else name


def _field(data: bytes) -> str:
    return _text(data.partition(b"\0")[0])


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Damaged(f"the archive has a name that is not UTF-8: {data[:80]!r}") from error


def _number(data: bytes) -> int:
    digits = data.strip(b" \0")
    if not digits:
        return 0
    if not all(digit in b"01234567" for digit in digits):
        raise Damaged("the archive has a number that is not octal")
    return int(digits, 8)


def _check_sum(block: bytes) -> None:
    """Compare the header's sum, in which its own field counts as spaces."""
    if sum(block[:148]) + sum(block[156:]) + 8 * 0x20 != _number(block[148:156]):
        raise Damaged("the archive has a header whose sum is wrong")
