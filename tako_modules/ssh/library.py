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

_FIRST = ("ssh-ed25519", "ecdsa-")  # the order of OpenSSH: people compare the fingerprint that `ssh` shows
KEY_ALGORITHMS = tuple(
    sorted(
        (each.decode() for each in public_key.get_default_public_key_algs()),
        key=lambda name: next((place for place, kind in enumerate(_FIRST) if name.startswith(kind)), len(_FIRST)),
    )
)
CERTIFICATE_ALGORITHMS = tuple(each.decode() for each in public_key.get_default_certificate_algs())
