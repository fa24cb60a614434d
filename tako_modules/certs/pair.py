"""A certificate with its key, and what was read from it."""

from dataclasses import dataclass, field

from tako_modules.base.errors import TakoError

__all__ = ["BadPair", "Details", "Pair"]


class BadPair(TakoError):
    """A certificate or key cannot be used; the message says what is wrong with it."""

    code = "bad_certificate"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its whole chain, the host's own first, and its private key; both PEM."""

    chain: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Details:
    """What a pair is for: host names and addresses in lower case, and from when until when (wall time)."""

    names: tuple[str, ...]
    begins: float
    expires: float
