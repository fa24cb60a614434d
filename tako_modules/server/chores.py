"""One-shot programs run for a deployment as its user: dependency installs, release commands, looks at ports."""

import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import anyio

from tako_modules.base import ids
from tako_modules.base.errors import Cancelled, TakoError
from tako_modules.supervisor.spawn import SpawnRequest

from .link import Child, Link

__all__ = ["Chores"]

LINE_LIMIT = 64 << 10  # bytes of one line; a longer one is cut
CHUNK = 64 << 10
GRACE_SECONDS = 5.0  # from SIGTERM to SIGKILL for a program that must stop
LAST_SECONDS = 1.0  # for its last lines: what it left in the background may hold its output open for ever
SPAWN_SECONDS = 30.0  # init answers a spawn at once; this is for a machine that swaps


class _Chore:
    def __init__(self) -> None:
        self.child: Child | None = None
        self.pipe: int | None = None
        self.problem = ""
        self.code: int | None = None
        self.spawned = anyio.Event()
        self.ended = anyio.Event()


class Chores:
    """Starts programs through init and waits for them; a program never outlives the call that wanted it."""

    def __init__(self, link: Link, patience: float = SPAWN_SECONDS) -> None:
        self._link = link
        self._patience = patience
        self._chores: dict[str, _Chore] = {}

    def spawned(self, child: Child, pipe: int) -> None:
        """Init has started one; what nobody waits for any more is ended."""
        chore = self._chores.get(child.id)
        if chore is None:
            os.close(pipe)
            self._link.kill(child, signal.SIGKILL)
            return
        chore.child, chore.pipe = child, pipe
        chore.spawned.set()

    def failed(self, ident: str, message: str) -> None:
        """Init could not start one."""
        chore = self._chores.get(ident)
        if chore is not None:
            chore.problem = message
            chore.spawned.set()

    def exited(self, child: Child, code: int) -> None:
        """One has ended."""
        chore = self._chores.get(child.id)
        if chore is not None:
            chore.code = code
            chore.ended.set()

    async def run(
        self,
        request: SpawnRequest,
        tell: Callable[[str], Awaitable[None]],
        *,
        seconds: float,
        ends: Sequence[Callable[[], Awaitable[object]]] = (),
    ) -> int:
        """Run a program to its end, telling its lines, and give its exit code (negative: the signal).

        It is ended after `seconds`, and when one of `ends` returns: its caller has hung up, or may do nothing any more.
        Raises TakoError, Cancelled.
        """
        chore = self._chores[request.id] = _Chore()
        try:
            self._link.send("spawn", request.fields())
            with anyio.move_on_after(self._patience):
                await chore.spawned.wait()
            if not chore.spawned.is_set():
                raise TakoError(
                    f"{request.argv[0]} could not be started within {self._patience:.0f} s",
                    hint="look whether the server is out of memory or processor time, then run the command again",
                )
            if chore.problem:
                raise TakoError(f"{request.argv[0]} could not be started: {chore.problem}")
            return await self._follow(request, chore, tell, seconds, ends)
        finally:
            with anyio.CancelScope(shield=True):
                await self._end(chore)
            del self._chores[request.id]

    async def _follow(
        self,
        request: SpawnRequest,
        chore: _Chore,
        tell: Callable[[str], Awaitable[None]],
        seconds: float,
        ends: Sequence[Callable[[], Awaitable[object]]],
    ) -> int:
        left = False
        with anyio.move_on_after(seconds) as limit:
            async with anyio.create_task_group() as tasks:

                async def leave(end: Callable[[], Awaitable[object]]) -> None:
                    nonlocal left
                    await end()
                    left = True
                    tasks.cancel_scope.cancel()

                async def close() -> None:
                    await chore.ended.wait()
                    await anyio.sleep(LAST_SECONDS)
                    tasks.cancel_scope.cancel()

                for end in ends:
                    tasks.start_soon(leave, end)
                tasks.start_soon(close)
                async for line in _lines(chore.pipe):
                    await tell(line)
                await chore.ended.wait()
                tasks.cancel_scope.cancel()
        if limit.cancelled_caught:
            raise TakoError(
                f"{request.argv[0]} did not end within {seconds:.0f} s and was stopped",
                hint="make it faster, or run it outside of the deploy",
            )
        if left or chore.code is None:
            raise Cancelled("nobody waits for it any more; the program was stopped")
        return chore.code

    async def _end(self, chore: _Chore) -> None:
        if chore.child is not None and not chore.ended.is_set():
            self._link.kill(chore.child, signal.SIGTERM)
            with anyio.move_on_after(GRACE_SECONDS):
                await chore.ended.wait()
            self._link.kill(chore.child, signal.SIGKILL)
        if chore.pipe is not None:
            os.close(chore.pipe)


async def _lines(pipe: int | None) -> AsyncIterator[str]:
    """Read a pipe's lines until every writer has closed it."""
    if pipe is None:
        return
    os.set_blocking(pipe, False)
    held = b""
    while True:
        await anyio.wait_readable(pipe)
        try:
            data = os.read(pipe, CHUNK)
        except BlockingIOError:
            continue
        whole = deque((held + data).split(b"\n"))
        held = whole.pop()[-LINE_LIMIT:]
        for line in whole:
            yield line[:LINE_LIMIT].decode(errors="replace").rstrip("\r")
        if not data:
            if held:
                yield held.decode(errors="replace")
            return


def chore_id() -> str:
    """Name a chore among all of init's children."""
    return f"chore/{ids.token(6)}"
