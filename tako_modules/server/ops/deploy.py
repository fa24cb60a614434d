"""deploy: roll a prepared release out; the answer comes when it serves, or when everything is as before."""

from tako_modules.base.errors import Refused
from tako_modules.mgmt.server import Call
from tako_modules.model.deployment import Kind, Shape
from tako_modules.model.note import BadNote, check_note
from tako_modules.model.route import ROUTES_LIMIT, BadRoute, Route
from tako_modules.protocol.messages import Deploy
from tako_modules.protocol.replies import DeployedData

from ..change import change
from ..control import Control, check_id
from ..ledger import release_of
from ..rollouts import WINDOW_SECONDS, Wish

__all__ = ["MOST_INSTANCES", "answer", "check_request"]

MOST_INSTANCES = 100  # of one deployment on one server: each has a port, a process and a probe
LONGEST_IDLE = 7 * 24 * 3600


async def answer(request: Deploy, call: Call, control: Control) -> DeployedData:
    """Check everything that the client claims, then change the deployment."""
    check_id(request.app)
    control.leases.check(request.app, request.fence)
    entry = control.entry(request.app)
    release = release_of(entry, request.version)
    path = control.host.paths.app(request.app).release(request.version)
    if not release.prepared or request.path != str(path):
        raise Refused(
            f"{request.version} is not prepared at {request.path}", code="not_found", hint="run `tako deploy` again"
        )
    routes = check_request(request)
    shape = Shape(
        version=request.version, routes=routes, instances=request.instances, idle_timeout=request.idle_timeout
    )
    again = entry.deployment.shape is not None and entry.deployment.shape.version == request.version
    restart = again and not entry.deployment.stopped
    wish = Wish(
        kind=Kind.DEPLOY,
        after=shape,
        window=0.0 if restart else WINDOW_SECONDS,
        parallel=restart,
        note=request.note,
        requested_by=str(call.peer.uid),
    )
    return await change(entry, wish, request.fence, call, control)


def check_request(request: Deploy) -> tuple[str, ...]:
    """Check what a request says, whatever is deployed here; gives its routes. Raises Refused."""
    _check_route_count(len(request.routes))
    if not 0 <= request.instances <= MOST_INSTANCES or not 1 <= request.idle_timeout <= LONGEST_IDLE:
        raise Refused(
            f"instances must be 0 to {MOST_INSTANCES}, idle_timeout 1 to {LONGEST_IDLE} seconds",
            code="invalid",
            hint="change [servers] in tako.toml",
        )
    try:
        check_note(request.note)
    except BadNote as error:
        raise Refused(f"the note {error}", code="invalid", hint="use another `--note`") from error
    try:
        return tuple(str(Route.parse(text)) for text in request.routes)
    except BadRoute as error:
        raise Refused(f"a route {error}", code="invalid", hint="change the route in tako.toml") from error


def _check_route_count(count: int) -> None:
    if count == 0:
        raise Refused("a deploy needs a route", code="invalid", hint="add `route` to tako.toml's environment")
    if count > ROUTES_LIMIT:
        raise Refused(
            f"a deploy may have {ROUTES_LIMIT} routes, and this one has {count}",
            code="invalid",
            hint="take some out of `routes` in tako.toml: `*.example.com` answers many hosts, `/api/*` many paths",
        )
