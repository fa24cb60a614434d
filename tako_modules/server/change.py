"""What every message that replaces instances has in common: pin the lease, roll, answer with a receipt."""

from tako_modules.base.errors import Refused
from tako_modules.mgmt.refusal import Refusal
from tako_modules.mgmt.server import Call
from tako_modules.model.deployment import Outcome, Shape
from tako_modules.plan import conflicts, rollback
from tako_modules.protocol.replies import DeployedData

from .control import Control
from .registry import Entry
from .rollouts import Wish, receipt

__all__ = ["change", "serving_shape"]


def serving_shape(entry: Entry) -> Shape:
    """Give the shape that is in force; raises Refused when nothing was ever deployed well."""
    if entry.deployment.shape is None:
        raise Refused(
            f"{entry.app} has no release that serves", code="not_found", hint="run `tako deploy` to deploy one"
        )
    return entry.deployment.shape


async def change(entry: Entry, wish: Wish, fence: int, call: Call, control: Control) -> DeployedData:
    """Roll out and answer; the lease is the server's until the roll ends, whatever the client does.

    Raises Refusal with the failure's details when everything is as before.
    """
    before = entry.deployment.shape
    conflicts.refuse_taken(wish.after.routes, _taken(entry.app, control))
    with control.certificates.coming(wish.after.routes):
        await control.certificates.want(route for other in control.registry for route in other.all_routes)
        await control.feeds.refresh()
        _still(entry, wish, fence, control)  # from here to the rollout nothing waits, so that nobody comes between
        control.feeds.tally.watch_waits(entry.app)
        with control.leases.pinned(entry.app, fence):
            watch = control.rollouts.begin(entry, wish, control.counters_by_version(entry.app))
            ended = await control.rollouts.run(entry, watch, call.event)
    await control.publisher.in_force()
    if ended.outcome is not Outcome.SUCCESS:
        raise await control.rollouts.failure(entry.app, watch)
    await control.feeds.refresh()
    counts, longest = control.counters_by_version(entry.app), control.feeds.tally.watched_wait(entry.app)
    await control.tidy(entry.app)
    control.feeds.tally.fold(entry.app, set(entry.releases))
    back = rollback.previous(control.ledger.good_rollouts(entry.app), entry.releases)
    beside = conflicts.shadows(ended.after.routes, _taken(entry.app, control))
    return DeployedData(
        status="deployed",
        app=entry.app,
        version=ended.after.version,
        deployment=ended.id,
        new_app=before is None,
        on_demand=ended.after.instances == 0,
        startup_validated=ended.after.instances == 0,
        new_instances=len(watch.admitted),
        old_instances=watch.replaced,
        previous=back.after.version if back else "",
        receipt=receipt(watch, counts, longest, control.clock.now()),
        warnings=(
            *(f"{one.app} also answers {one.route}" for one in beside),
            *(found[3] for found in watch.admitted.values() if found[3]),
        ),
    )


def _still(entry: Entry, wish: Wish, fence: int, control: Control) -> None:
    """Raise Refused where what was true when the message came is so no more."""
    if control.registry.get(entry.app) is not entry:
        raise Refusal(f"{entry.app} was deleted meanwhile", code="not_found", hint="run `tako deploy` again")
    if control.leases.check(entry.app, fence).called_off:
        raise Refusal(
            f"{wish.kind} of {wish.after.version} was cancelled before it began; everything is as before",
            code="cancelled",
            hint="run `tako status` to see what serves",
        )
    conflicts.refuse_taken(wish.after.routes, _taken(entry.app, control))


def _taken(app: str, control: Control) -> dict[str, tuple[str, ...]]:
    """Give the routes of all other deployments."""
    return {other.app: other.all_routes for other in control.registry if other.app != app}
