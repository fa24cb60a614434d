"""list_releases: what is kept on the server, newest first."""

from tako_modules.mgmt.server import Call
from tako_modules.protocol.messages import ListReleases
from tako_modules.protocol.replies import ReleaseLine, ReleasesData

from ..control import Control

__all__ = ["answer"]


async def answer(request: ListReleases, call: Call, control: Control) -> ReleasesData:
    """List the releases of a deployment."""
    entry = control.entry(request.app)
    current = entry.deployment.shape.version if entry.deployment.shape else ""
    deployed = {rollout.after.version: rollout for rollout in reversed(control.ledger.good_rollouts(request.app))}
    kept = sorted(entry.releases.values(), key=lambda release: release.created_at, reverse=True)
    return ReleasesData(
        app=request.app,
        releases=tuple(
            ReleaseLine(
                version=release.version,
                current=release.version == current,
                good=release.served,
                deployed_at_unix_secs=int(release.created_at),
                deployment=deployed[release.version].id if release.version in deployed else "",
                note=deployed[release.version].note if release.version in deployed else "",
                size=release.size,
            )
            for release in kept
        ),
    )
