"""A stop-gap certificate for a host that has no other yet: it encrypts, but no client trusts it."""

from .pair import Pair

__all__ = ["issue"]


def issue(names: tuple[str, ...], *, now: float, days: int = 90) -> Pair:
    """Make a certificate for host names, `*.` patterns or addresses that signs itself; now: wall time."""
    from . import minting

    key = minting.new_key()
    leaf = minting.new_leaf(names, key, None, now=now, days=days)
    return Pair(chain=minting.certificate_pem(leaf), key=minting.key_pem(key))
