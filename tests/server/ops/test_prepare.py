"""What a request to prepare may say, and when a release is ready as it is."""

from pathlib import Path

import msgspec
import pytest

from tako_modules.base.errors import Refused
from tako_modules.config import rules
from tako_modules.mgmt.client import connect_unix
from tako_modules.model.deployment import Deployment, Kind, Rollout, Shape
from tako_modules.model.instance import Instance
from tako_modules.model.release import HealthCheck, Recipe, Release
from tako_modules.protocol.messages import Lease, Owner, Prepare
from tako_modules.protocol.replies import LeaseData, PrepareData
from tako_modules.server.ops.prepare import check_request, is_ready
from tako_modules.server.registry import Entry
from tests.kit.control import Stage, staged

ENV = {"COLOUR": "red"}
RECIPE = Recipe(
    runtime="python",
    install=(("{pip}", "install"),),
    start=("{python}", "app.py", "{port}"),
    path=(".venv/bin",),
    env={"PYTHONUNBUFFERED": "1"},
    health=HealthCheck(path="/status", timeout=600.0),
)
SHAPE = Shape(version="v", routes=("shop.example.com",))
BARE = Deployment(app="shop")

replace = msgspec.structs.replace


def request(recipe: Recipe = RECIPE, env: dict[str, str] = ENV) -> Prepare:
    """Make a request that is right but for what is given."""
    return Prepare(app="shop", fence=1, version="v", env=env, recipe=recipe)


def known(deployment: Deployment, *, prepared: bool = True) -> Entry:
    """Make an entry that has the release of `request`."""
    entry = Entry(deployment)
    entry.releases["v"] = Release(
        app="shop", version="v", created_at=1.0, env=dict(ENV), recipe=RECIPE, prepared=prepared
    )
    return entry


def running() -> Entry:
    """Make an entry whose shape names another version, while an instance of this one still runs."""
    entry = known(replace(BARE, shape=replace(SHAPE, version="other")))
    entry.instances[1] = Instance(app="shop", number=1, version="v", port=20001)
    return entry


def test_what_tako_sends_is_right() -> None:
    check_request(request())
    check_request(request(replace(RECIPE, install=(), path=(), env={}, health=HealthCheck(timeout=1.0)), env={}))


WRONG = {
    "an empty install": (replace(RECIPE, install=(("a",), ())), r"install\[1\]: must not be empty"),
    "an install of an empty word": (replace(RECIPE, install=(("",),)), r"install\[0\]: must not be empty"),
    "no start": (replace(RECIPE, start=()), "start: must not be empty"),
    "a start with NUL": (replace(RECIPE, start=("a", "b\0")), r"start\[1\]: has a NUL"),
    "an install with NUL": (replace(RECIPE, install=(("a",), ("b\0",))), r"install\[1\]\[0\]: has a NUL"),
    "no time": (replace(RECIPE, health=HealthCheck(timeout=0.0)), "health.timeout: must be a whole number >= 1"),
    "negative time": (replace(RECIPE, health=HealthCheck(timeout=-1.0)), "must be a whole number >= 1"),
    "much time": (replace(RECIPE, health=HealthCheck(timeout=601.0)), "must be a whole number <= 600"),
    "all time": (replace(RECIPE, health=HealthCheck(timeout=1e308)), "must be a whole number <= 600"),
    "a part of a second": (replace(RECIPE, health=HealthCheck(timeout=2.5)), "must be a whole number"),
    "two lines of a request": (replace(RECIPE, health=HealthCheck(path="/ HTTP/1.1\r\nX: y")), "health.path: '.*not a"),
    "a path without a slash": (replace(RECIPE, health=HealthCheck(path="status")), "'status' is not a path"),
    "a folder elsewhere": (replace(RECIPE, path=("../bin",)), r"path\[0\]: '../bin' leaves"),
    "a variable of the runtime": (replace(RECIPE, env={"A=B": "1"}), r'vars\."A=B": is not a name'),
}


@pytest.mark.parametrize(("recipe", "why"), WRONG.values(), ids=WRONG.keys())
def test_a_recipe_that_cannot_be_followed_is_refused(recipe: Recipe, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        check_request(request(recipe))
    assert refused.value.code == "invalid"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({"": "x"}, "is not a name for a variable"),
        ({"A\0": "x"}, "is not a name for a variable"),
        ({"A": "x\0"}, "vars.A: has a NUL"),
        ({"A": "x" * rules.VALUES_LIMIT}, "more than 65536"),
    ],
    ids=["no name", "a name with NUL", "a value with NUL", "too much"],
)
def test_variables_that_no_process_can_have_are_refused(env: dict[str, str], why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        check_request(request(env=env))
    assert refused.value.code == "invalid"
    assert refused.value.hint


USED = {
    "serves": known(replace(BARE, shape=SHAPE)),
    "serves when started": known(replace(BARE, shape=SHAPE, stopped=True)),
    "is being rolled out": known(replace(BARE, rollout=Rollout(id="r", app="shop", kind=Kind.DEPLOY, after=SHAPE))),
    "still runs": running(),
}
OTHERS = {
    "variables": request(env={"COLOUR": "blue"}),
    "start": request(replace(RECIPE, start=("other",))),
    "health": request(replace(RECIPE, health=HealthCheck())),
    "install": request(replace(RECIPE, install=())),
}


@pytest.mark.parametrize("entry", USED.values(), ids=USED.keys())
def test_what_is_in_use_is_deployed_again_as_it_is(entry: Entry) -> None:
    assert is_ready(entry, request())


@pytest.mark.parametrize("entry", USED.values(), ids=USED.keys())
@pytest.mark.parametrize("wanted", OTHERS.values(), ids=OTHERS.keys())
def test_what_is_in_use_stays_as_it_is(entry: Entry, wanted: Prepare) -> None:
    with pytest.raises(Refused, match="v is in use on this server") as refused:
        is_ready(entry, wanted)
    assert refused.value.code == "conflict"
    assert "another name" in refused.value.hint
    assert (entry.releases["v"].env, entry.releases["v"].recipe) == (ENV, RECIPE)


@pytest.mark.parametrize(
    ("wanted", "ready"),
    [(request(), True), (OTHERS["variables"], True), (OTHERS["start"], True), (OTHERS["install"], False)],
)
def test_what_nobody_uses_takes_other_settings(wanted: Prepare, *, ready: bool) -> None:
    assert is_ready(known(BARE), wanted) is ready


def test_what_was_only_uploaded_is_not_ready() -> None:
    assert not is_ready(known(BARE, prepared=False), request())


async def prepare(stage: Stage, env: dict[str, str] | None = None) -> PrepareData:
    """Ask for the version that serves, as it is but for its variables."""
    release = stage.entry().releases["v"]
    assert release.recipe is not None
    async with await connect_unix(stage.init.socket) as client:
        owner = Owner(user="ann", host="laptop", pid=1)
        lease = await client.call(Lease(app="shop", action="take", owner=owner), LeaseData)
        wanted = Prepare(app="shop", fence=lease.fence, version="v", env=env or {}, recipe=release.recipe)
        return await client.call(wanted, PrepareData)


async def test_an_instance_that_is_replaced_after_a_refusal_is_what_it_was(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE, ("v",))
        async with stage.control():
            await stage.adopted()
            await stage.until(lambda: stage.entry().serving)
            with pytest.raises(Refused, match="in use on this server, with other settings"):
                await prepare(stage, env={"COLOUR": "blue"})
            stage.init.end("shop/1", 7)
            await stage.until(lambda: 1 not in stage.entry().instances)
            await stage.pass_by(5.0)
            await stage.until(lambda: stage.entry().serving)
        spawned = [one.env for one in stage.init.asked if one.id == "shop/2"]
        assert ["COLOUR" in env for env in spawned] == [False]


async def test_the_version_that_serves_is_ready_at_once(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE, ("v",))
        async with stage.control():
            await stage.adopted()
            assert (await prepare(stage)).known
