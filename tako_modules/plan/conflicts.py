"""Which routes cannot be had: the same pattern never belongs to two deployments, a more specific one may."""

from collections.abc import Mapping, Sequence

import msgspec

from tako_modules.base.errors import Refused
from tako_modules.model.route import BadRoute, Route

__all__ = ["Conflict", "find", "refuse_taken", "shadows"]


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern that another deployment has."""

    route: str
    app: str


def find(wanted: Sequence[str], taken: Mapping[str, Sequence[str]]) -> Conflict | None:
    """Find the first wanted pattern that another deployment has; taken: deployment id → its patterns."""
    owners = {_parsed(text): app for app, routes in sorted(taken.items()) for text in routes}
    for text in wanted:
        owner = owners.get(_parsed(text))
        if owner is not None:
            return Conflict(route=text, app=owner)
    return None


def refuse_taken(wanted: Sequence[str], taken: Mapping[str, Sequence[str]]) -> None:
    """Raise Refused, with what to do, for the first wanted pattern that another deployment has."""
    conflict = find(wanted, taken)
    if conflict is not None:
        raise Refused(
            f"the route {conflict.route} is taken by {conflict.app}",
            code="conflict",
            hint=f"choose another route in tako.toml, or take {conflict.app} away with `tako delete`",
        )


def shadows(wanted: Sequence[str], taken: Mapping[str, Sequence[str]]) -> list[Conflict]:
    """List patterns of others that cover a part of the same requests: allowed, the more specific one answers."""
    mine = [route for text in wanted if (route := _parsed(text)) is not None]
    return [
        Conflict(route=text, app=app)
        for app, routes in sorted(taken.items())
        for text in routes
        if (theirs := _parsed(text)) is not None and any(_overlap(route, theirs) for route in mine)
    ]


def _parsed(text: str) -> Route | None:
    try:
        return Route.parse(text)
    except BadRoute:
        return None


def _overlap(one: Route, other: Route) -> bool:
    return one != other and _hosts_overlap(one, other) and _paths_overlap(one, other)


def _hosts_overlap(one: Route, other: Route) -> bool:
    if one.wildcard and other.wildcard:
        return one.host == other.host or one.host.endswith("." + other.host) or other.host.endswith("." + one.host)
    if one.wildcard or other.wildcard:
        wild, exact = (one, other) if one.wildcard else (other, one)
        return exact.host.endswith("." + wild.host)
    return one.host == other.host


def _paths_overlap(one: Route, other: Route) -> bool:
    return one.covers(other.path.encode()) or other.covers(one.path.encode())
