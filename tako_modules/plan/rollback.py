"""Which of the earlier deployments a rollback returns to."""

from collections.abc import Collection, Iterator, Sequence

from tako_modules.model.deployment import Kind, Rollout, Shape

__all__ = ["BEGINS", "previous", "wanted"]

BEGINS = (Kind.DEPLOY, Kind.ROLLBACK)  # the others change a deployment that runs


def previous(good: Sequence[Rollout], kept: Collection[str]) -> Rollout | None:
    """Find the last good deployment that is not the running one, as it was when it was replaced; None: there is none.

    good: rollouts that ended well, newest first; kept: the versions whose releases are still there. What was deployed
    again without a difference is the running one all the same.
    """
    found = list(_deployments(good))
    if not found:
        return None
    running = found[0][1].after
    others = (last for last, first in found if first.after != running)
    return next((last for last in others if _usable(last.after, kept)), None)


def wanted(good: Sequence[Rollout], kept: Collection[str], name: str) -> Rollout | None:
    """Find the last good rollout by its id or version; None: it is not kept."""
    return next((one for one in good if name in (one.id, one.after.version) and _usable(one.after, kept)), None)


def _deployments(good: Sequence[Rollout]) -> Iterator[tuple[Rollout, Rollout]]:
    """Give each deployment's last and first rollout, newest first; of the oldest the beginning may be forgotten."""
    last: Rollout | None = None
    for one in good:
        last = last or one
        if one.kind in BEGINS:
            yield last, one
            last = None
    if last is not None:
        yield last, good[-1]


def _usable(shape: Shape, kept: Collection[str]) -> bool:
    return shape.version in kept
