"""How much room a deploy needs on a server's disk: the client asks before it sends, the server before it takes."""

__all__ = ["DISK_FACTOR", "DISK_MARGIN", "required"]

DISK_FACTOR = 3  # the archive, its content, and room for the release's dependencies
DISK_MARGIN = 64 << 20  # bytes


def required(size: int) -> int:
    """Tell how many bytes must be free for an artifact of this size."""
    return DISK_FACTOR * size + DISK_MARGIN
