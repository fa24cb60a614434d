"""Holding the lease of a deployment while something is changed, and giving it back on every way out."""

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from tako_modules.base.clock import Clock
from tako_modules.base.errors import Locked, TakoError, Unreachable
from tako_modules.base.person import user_name
from tako_modules.mgmt.client import Client
from tako_modules.protocol.messages import Lease, Owner
from tako_modules.protocol.replies import LeaseData

from .target import Connection

__all__ = ["RENEW_SECONDS", "hold", "this_owner"]

RENEW_SECONDS = 5.0  # a lease lives 30 s, 20 s where somebody else waits for it: a renewal may be that late
ASK_AGAIN_SECONDS = 1.0  # between attempts while `--wait` queues
GIVE_SECONDS = 5.0  # giving back is a courtesy: the lease expires by itself


def this_owner() -> Owner:
    """Say who we are in words that a colleague understands."""
    return Owner(user=user_name(), host=socket.gethostname(), pid=os.getpid())


@asynccontextmanager
async def hold(
    connection: Connection, app: str, clock: Clock, *, wait: float = 0.0, waiting: Callable[[str], None] | None = None
) -> AsyncIterator[int]:
    """Hold the lease of a deployment id; gives its fence. Raises Locked when it is taken for longer than `wait` s.

    A lease that is lost in between cancels the body, which then ends as Locked.
    """
    lease = await _take(connection.client, app, clock, wait, waiting)
    lost: TakoError | None = None
    async with anyio.create_task_group() as tasks:

        async def renew() -> None:
            nonlocal lost
            lost = await _renew(connection, app, lease.fence, clock)
            tasks.cancel_scope.cancel()

        tasks.start_soon(renew)
        try:
            yield lease.fence
        finally:
            with anyio.move_on_after(GIVE_SECONDS, shield=True):
                await _give(connection, app, lease.fence)
        tasks.cancel_scope.cancel()
    if lost is not None:
        raise lost


async def _take(
    client: Client, app: str, clock: Clock, wait: float, waiting: Callable[[str], None] | None
) -> LeaseData:
    until, told = clock.monotonic() + wait, False
    while True:
        try:
            return await client.call(Lease(app=app, action="take", owner=this_owner()), LeaseData)
        except Locked as taken:
            if clock.monotonic() >= until:
                raise
            if waiting is not None and not told:
                waiting(taken.message)
                told = True
        await clock.sleep(ASK_AGAIN_SECONDS)


async def _renew(connection: Connection, app: str, fence: int, clock: Clock) -> TakoError:
    """Renew until that is refused or the connection ends; gives the reason."""
    try:
        async with connection.another() as client:
            while True:
                await clock.sleep(RENEW_SECONDS)
                await client.call(Lease(app=app, action="renew", owner=this_owner(), fence=fence), LeaseData)
    except TakoError as error:
        return error


async def _give(connection: Connection, app: str, fence: int) -> None:
    try:
        async with connection.another() as client:
            await client.call(Lease(app=app, action="give", owner=this_owner(), fence=fence), LeaseData)
    except (Locked, Unreachable):
        return  # it was lost or expires by itself
