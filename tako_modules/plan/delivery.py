"""What a deploy does on one server, in order: what `--plan` prints is what a deploy then follows."""

from enum import StrEnum

import msgspec

__all__ = ["ONCE", "Delivery", "Phase", "stages"]


class Phase(StrEnum):
    """The parts of a deploy on a server whose time is told in the receipt."""

    PREFLIGHT = "preflight"
    UPLOAD = "upload"
    PREPARE = "prepare"
    RELEASE = "release"
    ROLLOUT = "rollout"


ONCE = frozenset({Phase.RELEASE})
"""What the first server that comes so far does for all of them."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about the stages: of the project its release command, of its recipe whether it installs."""

    release: str
    installs: bool
    instances: int
    idle_timeout: int
    routes: tuple[str, ...]


def stages(wanted: Delivery) -> tuple[tuple[Phase, str], ...]:
    """Tell the stages after the lease, each with its words; the lease is held from before the first to the last."""
    found = [
        (Phase.PREFLIGHT, "check disk and routes"),
        (Phase.UPLOAD, "upload what is missing"),
        (Phase.PREPARE, "unpack, install dependencies" if wanted.installs else "unpack"),
    ]
    if wanted.release:
        words = f"run the release command `{wanted.release}`, once for all servers, before any traffic moves"
        found.append((Phase.RELEASE, words))
    found.append(
        (Phase.ROLLOUT, f"start first, one instance at a time: {_size(wanted)}, for {', '.join(wanted.routes)}")
    )
    return tuple(found)


def _size(wanted: Delivery) -> str:
    if not wanted.instances:
        return f"on demand, asleep after {wanted.idle_timeout} s"
    return "1 instance" if wanted.instances == 1 else f"{wanted.instances} instances"
