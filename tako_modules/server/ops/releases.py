"""list_releases: what is kept on the server, newest first."""

from collections.abc import Sequence

from tako_modules.mgmt.server import Call
from tako_modules.model.deployment import Rollout
from tako_modules.model.release import Release
from tako_modules.plan.rollback import BEGINS
from tako_modules.protocol.messages import ListReleases
from tako_modules.protocol.replies import ReleaseLine, ReleasesData

from ..control import Control

__all__ = ["answer", "deployed_at"]


async def answer(request: ListReleases, call: Call, control: Control) -> ReleasesData:
    """List the releases of a deployment."""
    entry = control.entry(request.app)
    current = entry.deployment.shape.version if entry.deployment.shape else ""
    good = control.ledger.good_rollouts(request.app)
    deployed = {rollout.after.version: rollout for rollout in reversed(good)}
    kept = sorted(entry.releases.values(), key=lambda release: release.created_at, reverse=True)
    return ReleasesData(
        app=request.app,
        releases=tuple(
            ReleaseLine(
                version=release.version,
                current=release.version == current,
                good=release.served,
                deployed_at_unix_secs=int(deployed_at(release, good)),
                deployment=deployed[release.version].id if release.version in deployed else "",
                note=deployed[release.version].note if release.version in deployed else "",
                size=release.size,
            )
            for release in kept
        ),
    )


def deployed_at(release: Release, good: Sequence[Rollout]) -> float:
    """Tell when a release last came to serve (wall time); of one that never did, when it was uploaded.

    good: rollouts that ended well, newest first.
    """
    brought = (one for one in good if one.kind in BEGINS and one.after.version == release.version)
    last = next(brought, None)
    return release.created_at if last is None else last.finished_at or last.started_at
