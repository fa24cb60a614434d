"""What a deletion gives back."""

from pathlib import Path

import anyio
import pytest

from tako_modules.mgmt.client import connect_unix
from tako_modules.model.deployment import Shape
from tako_modules.protocol.messages import Delete, Lease, Owner
from tako_modules.protocol.replies import DeletedData, LeaseData
from tako_modules.store import server
from tests.kit.control import Stage, staged

ANN = Owner(user="ann", host="laptop", pid=1)


async def delete(stage: Stage) -> None:
    """Delete the deployment with its data."""
    async with await connect_unix(stage.init.socket) as client:
        lease = await client.call(Lease(app="shop", action="take", owner=ANN), LeaseData)
        await client.call(Delete(app="shop", fence=lease.fence, purge=True), DeletedData)


@pytest.mark.parametrize(
    ("trash", "kept"),
    [((), False), (("shop-2-20260102T030405Z",), False), (("shop-20260102T030405Z",), True)],
    ids=["no trash", "another one's", "its own"],
)
async def test_a_uid_is_free_when_no_file_of_it_is_left(tmp_path: Path, trash: tuple[str, ...], kept: bool) -> None:
    async with staged(tmp_path) as stage:
        stage.deployment("shop", Shape(version="old", routes=("shop.example.com",)))
        uid = server.take_uid(stage.db, "shop")
        for name in trash:
            (stage.host.paths.trash / name).mkdir(parents=True)
        async with stage.control():
            await stage.adopted()
            await stage.until(lambda: stage.entry().serving)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stage.hurry)
                await delete(stage)
                tasks.cancel_scope.cancel()
        assert list(stage.init.instances) == []
        assert (server.take_uid(stage.db, "blog") != uid) is kept
