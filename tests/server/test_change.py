"""Changes of a deployment through the management socket, with what may come between."""

from pathlib import Path

import anyio
import pytest

from tako_modules.base.clock import SystemClock
from tako_modules.base.errors import Refused
from tako_modules.mgmt.client import connect_unix
from tako_modules.model.deployment import Shape
from tako_modules.model.instance import InstanceState
from tako_modules.protocol.messages import Cancel, Deploy, Lease, Owner, Rollback
from tako_modules.protocol.replies import DeployedData, LeaseData, StoppedData
from tests.kit.control import Stage, staged
from tests.kit.init import Boot

SHAPE = Shape(version="old", routes=("shop.example.com",))
ANN = Owner(user="ann", host="laptop", pid=1)
QUICK, SLOW = 0.5, 0.02  # seconds that pass by at a time; slow while something real has to happen


async def step(stage: Stage) -> None:
    """Let a little time pass."""
    starting = any(one.state is InstanceState.STARTING for one in stage.entry().instances.values())
    await stage.pass_by(SLOW if starting else QUICK)
    await SystemClock().sleep(0.002)


async def change(stage: Stage, version: str, done: list[DeployedData], *, routes: tuple[str, ...] = ()) -> None:
    """Roll a release out, or back where there is none, and let time pass until that has ended."""
    ended = anyio.Event()

    async def ask() -> None:
        async with await connect_unix(stage.init.socket) as client:
            lease = await client.call(Lease(app="shop", action="take", owner=ANN), LeaseData)
            path = str(stage.host.paths.app("shop").release(version))
            wanted = routes or SHAPE.routes
            request = Deploy(app="shop", fence=lease.fence, version=version, path=path, routes=wanted)
            back = Rollback(app="shop", fence=lease.fence)
            done.append(await client.call(request if version else back, DeployedData))
            await client.call(Lease(app="shop", action="give", owner=ANN, fence=lease.fence), LeaseData)
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        while not ended.is_set():
            await step(stage)


async def test_a_change_tells_what_a_rollback_would_bring_back(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE, ("old", "new"))
        stage.init.worker()
        done: list[DeployedData] = []
        async with stage.control():
            await stage.adopted()
            await stage.until(lambda: stage.entry().serving)
            for version in ("new", "new", "old", ""):
                await change(stage, version, done)
        assert [one.version for one in done] == ["new", "new", "old", "new"]
        assert [one.previous for one in done] == ["", "", "new", "old"]


async def test_the_same_version_goes_back_to_its_earlier_routes(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE)
        stage.init.worker()
        done: list[DeployedData] = []
        async with stage.control():
            await stage.adopted()
            await stage.until(lambda: stage.entry().serving)
            await change(stage, "old", done)
            await change(stage, "old", done, routes=("new.example.com",))
            assert stage.entry().routes == ("new.example.com",)
            await change(stage, "", done)
            assert stage.entry().routes == SHAPE.routes


async def cancelled(stage: Stage) -> Refused:
    """Begin a rollout, cancel it once it has begun, and let it end; gives what the client hears."""
    caught: list[Refused] = []
    lease = LeaseData(fence=0, expires_in=0.0)

    async def ask() -> None:
        nonlocal lease
        async with await connect_unix(stage.init.socket) as client:
            lease = await client.call(Lease(app="shop", action="take", owner=ANN), LeaseData)
            path = str(stage.host.paths.app("shop").release("new"))
            request = Deploy(app="shop", fence=lease.fence, version="new", path=path, routes=SHAPE.routes)
            with pytest.raises(Refused) as refused:
                await client.call(request, DeployedData)
            caught.append(refused.value)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await stage.until(lambda: 2 in stage.entry().instances)
        async with await connect_unix(stage.init.socket) as other:
            await other.call(Cancel(app="shop", fence=lease.fence), StoppedData)
        while stage.entry().deployment.rollout is not None:
            await step(stage)
    return caught[0]


async def test_cancelling_a_rollout_restores_what_was(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE, ("old", "new"))
        stage.init.worker()
        async with stage.control():
            await stage.adopted()
            await stage.until(lambda: stage.entry().serving)
            stage.init.boot = Boot.DEAF
            refused = await cancelled(stage)
            assert refused.code == "cancelled"
            assert "was cancelled; everything is as before" in refused.message
            assert [one.version for one in stage.entry().serving] == ["old"]
        assert list(stage.init.instances) == ["shop/1"]
