"""The hundred hosts that every proxy under test serves."""

__all__ = ["HOST", "HOSTS"]

HOSTS = tuple(f"h{number}.bench.test" for number in range(100))
HOST = HOSTS[42]
"""The one that is asked for."""
