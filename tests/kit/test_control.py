"""The played init and the real control agree: a deploy through the management socket, and a control that comes back."""

from pathlib import Path

import anyio

from tako_modules.mgmt.client import connect_unix
from tako_modules.model.deployment import Outcome, Shape
from tako_modules.protocol.messages import Deploy, Lease, Owner
from tako_modules.protocol.replies import DeployedData, LeaseData
from tako_modules.server.rollouts import WINDOW_SECONDS

from .control import Stage, staged

SHAPE = Shape(version="old", routes=("shop.example.com",))
ANN = Owner(user="ann", host="laptop", pid=1)


async def deploy(stage: Stage, version: str) -> None:
    """Roll a release out as a client does."""
    async with await connect_unix(stage.init.socket) as client:
        lease = await client.call(Lease(app="shop", action="take", owner=ANN), LeaseData)
        path = str(stage.host.paths.app("shop").release(version))
        request = Deploy(app="shop", fence=lease.fence, version=version, path=path, routes=SHAPE.routes)
        answer = await client.call(request, DeployedData)
        assert answer.version == version


async def test_a_deploy(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE, ("old", "new"))
        worker = stage.init.worker()
        async with stage.control():
            await stage.adopted()
            await stage.until(lambda: stage.entry().serving)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(deploy, stage, "new")
                await stage.until(lambda: 2 in stage.entry().instances and stage.entry().instances[2].healthy_at)
                await stage.pass_by(WINDOW_SECONDS)
            ended = stage.entry().deployment.last
        assert ended is not None
        assert ended.outcome is Outcome.SUCCESS
        assert list(stage.init.instances) == ["shop/2"]
        assert [one.version for one in worker.snapshots[-1].apps[0].instances] == ["new"]


async def test_the_next_control_adopts_what_lives(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", SHAPE)
        async with stage.control():
            await stage.adopted()
            await stage.until(lambda: stage.entry().serving)
        [one] = stage.init.instances.values()
        async with stage.control():
            await stage.adopted()
            assert [(it.number, it.birth) for it in stage.entry().serving] == [(1, one.start)]
        assert stage.init.signals(one) == []
