"""What control does while its state cannot be read: it says so to everybody who asks, and lets what runs run.

Workers go on with the last snapshot and instances with their requests; their output is kept. Control then ends, and
the next one looks again: a file that was put right is noticed without a restart.
"""

import os
import socket
from collections.abc import Callable, Coroutine

import anyio
import msgspec
from anyio.abc import TaskGroup

from tako_modules.base.clock import Clock
from tako_modules.base.errors import Refused, TakoError
from tako_modules.mgmt import peer
from tako_modules.mgmt import server as mgmt
from tako_modules.protocol import messages
from tako_modules.telemetry.capture import Capture

from .host import Host
from .link import InitEvent, Link

__all__ = ["EXCUSE_SECONDS", "excuse"]

EXCUSE_SECONDS = 10.0  # until the next control looks whether the state can be read now


async def excuse(
    problem: TakoError, link: Link, host: Host, clock: Clock, allowed: Callable[[peer.Peer], str | None]
) -> None:
    """Answer every request with the problem, until time is over, init stops the server, or init is gone."""

    async def refuse(request: messages.Request, call: mgmt.Call) -> msgspec.Struct:
        raise Refused(problem.message, code=problem.code, hint=problem.hint)

    async def answer(management: socket.socket) -> None:
        with management:
            await mgmt.serve(management, refuse, allowed=allowed, clock=clock)

    async def keep_output(ident: str, pipe: int) -> None:
        app, _, number = ident.rpartition("/")
        await Capture(host.paths.logs / app, int(number), pipe, clock, rootless=host.rootless).run()

    with anyio.move_on_after(EXCUSE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.write)
            link.send("status", {"text": problem.message})
            await link.read(_Excused(link, tasks, answer, keep_output).take)
            tasks.cancel_scope.cancel()


class _Excused:
    """Init's packets as far as they matter now: the management socket, the output of instances, the end."""

    def __init__(
        self,
        link: Link,
        tasks: TaskGroup,
        answer: Callable[[socket.socket], Coroutine[None, None, None]],
        keep_output: Callable[[str, int], Coroutine[None, None, None]],
    ) -> None:
        self._link = link
        self._tasks = tasks
        self._answer = answer
        self._keep_output = keep_output

    def take(self, event: InitEvent, descriptors: list[int]) -> None:
        """Act on one packet."""
        if event.event == "hello":
            self._tasks.start_soon(self._answer, socket.socket(fileno=descriptors.pop(0)))
        elif event.event == "child" and event.kind == "instance":
            self._tasks.start_soon(self._keep_output, event.id, descriptors.pop(0))
        if event.event == "stop" or event.stopping:
            self._link.send("stopped")
        if event.event == "resumed":
            self._tasks.cancel_scope.cancel()
        for descriptor in descriptors:
            os.close(descriptor)
