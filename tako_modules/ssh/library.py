"""asyncssh, imported without its search for optional C libraries, which starts a dozen child processes for nothing."""

import ctypes.util
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["CERTIFICATE_ALGORITHMS", "KEY_ALGORITHMS", "asyncssh"]


def _find_nothing(name: str) -> str | None:
    return None


@contextmanager
def _without_libraries() -> Iterator[None]:
    find = ctypes.util.find_library
    ctypes.util.find_library = _find_nothing
    try:
        yield
    finally:
        ctypes.util.find_library = find


with _without_libraries():
    import asyncssh
    from asyncssh import public_key

KEY_ALGORITHMS = tuple(each.decode() for each in public_key.get_default_public_key_algs())
CERTIFICATE_ALGORITHMS = tuple(each.decode() for each in public_key.get_default_certificate_algs())
