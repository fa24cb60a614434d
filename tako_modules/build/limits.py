"""How large an artifact may be, the same for who packs and who unpacks."""

import msgspec

__all__ = ["LIMITS", "Limits"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one archive.

    entries: names in it; total: bytes when unpacked; ratio: times its compressed size; floor: bytes that every archive
    may have, because the headers of a small one alone compress better than `ratio`.
    """

    entries: int = 200_000
    total: int = 4 << 30
    ratio: int = 100
    floor: int = 1 << 20

    def bytes_of(self, compressed: int) -> int:
        """Tell how many bytes an archive of this size may unpack to."""
        return min(self.total, max(self.floor, self.ratio * compressed))


LIMITS = Limits()
