"""What init says, sorted: living children at the start, then births, deaths and the order to stop."""

import os
import signal
import socket
from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from tako_modules.base import log
from tako_modules.model import snapshot as feed
from tako_modules.plan.reconcile import TERM_SECONDS

from .control import Control
from .feeds import Feed
from .link import Child, InitEvent, Link

__all__ = ["Doorway", "Found"]

INSTANCE, TASK, WORKER = "instance", "task", "worker"
DRAIN_SECONDS = 25.0  # workers end open requests this long when the server stops


class Found:
    """What init holds when control starts: living instances with their pipes, and exits that nobody has acted upon."""

    def __init__(self) -> None:
        self.instances: dict[str, tuple[Child, int]] = {}
        self.exits: list[tuple[Child, int, int | None]] = []


class Doorway:
    """Takes init's packets one by one; until the adoption it only collects, for nothing is known before that."""

    def __init__(self, control: Control, link: Link) -> None:
        self._control = control
        self._link = link
        self._tasks: TaskGroup | None = None
        self._adopted = False
        self._must_stop = False
        self._stopping = False
        self._ending = False
        self.found = Found()
        self.management: socket.socket | None = None
        self.complete = anyio.Event()
        self._table: dict[str, Callable[[InitEvent, list[int]], None]] = {
            "hello": self._hello,
            "child": self._child,
            "spawned": self._child,
            "exit": self._exit,
            "end": self._end,
            "failed": self._failed,
            "resumed": self._resumed,
            "stop": self._stop,
            "error": self._error,
        }

    def begin(self, tasks: TaskGroup) -> None:
        """Say which task group hears the workers; before any packet is taken."""
        self._tasks = tasks

    @property
    def _group(self) -> TaskGroup:
        assert self._tasks is not None, "`begin` comes first"
        return self._tasks

    def take(self, event: InitEvent, descriptors: list[int]) -> None:
        """Act on one packet; before the adoption, what is about later events waits."""
        act = self._table.get(event.event)
        if act is None:
            log.event("init.unknown", packet=event.event)
            return
        act(event, descriptors)

    def _hello(self, event: InitEvent, descriptors: list[int]) -> None:
        self.management = socket.socket(fileno=descriptors[0])
        if event.stopping:
            self._want_stop()

    def _child(self, event: InitEvent, descriptors: list[int]) -> None:
        child = event.child
        if child.kind == WORKER:
            self._control.feeds.add(Feed(child, socket.socket(fileno=descriptors[0])), self._group)
        elif child.kind == TASK:
            self._control.crew.chores.spawned(child, descriptors[0])
        elif not self._adopted:
            self.found.instances[child.id] = (child, descriptors[0])
        else:
            self._control.crew.spawned(child, descriptors[0])

    def _exit(self, event: InitEvent, descriptors: list[int]) -> None:
        child = event.child
        pipe = descriptors[0] if descriptors else None
        if child.kind == WORKER and pipe is not None:  # it ended before this control began: counted before all others
            self._control.feeds.hear_last(child, socket.socket(fileno=pipe))
            pipe = None
        if not self._adopted:
            self.found.exits.append((child, event.code, pipe))
            return
        if child.kind == INSTANCE:
            self._control.crew.exited(child, event.code, pipe)
        else:
            self._other_exit(child, event.code, pipe)
        self._link.ack(child)
        if self._stopping:
            self._stop_next()

    def _other_exit(self, child: Child, code: int, pipe: int | None) -> None:
        if child.kind == WORKER:
            self._control.feeds.forget(child)
            self._keep_counters()
            if not self._must_stop:
                log.event("worker.ended", id=child.id, pid=child.pid, code=code)
        else:
            self._control.crew.chores.exited(child, code)
        if pipe is not None:
            os.close(pipe)

    def _keep_counters(self) -> None:
        self._control.ledger.keep_counters(self._control.feeds.tally.export())

    def _end(self, event: InitEvent, descriptors: list[int]) -> None:
        self.complete.set()

    def adopt(self) -> None:
        """Hand over what was found, once the store has been read; from here on events are acted on at once."""
        self._adopted = True
        ended = [exited for exited in self.found.exits if exited[0].kind == INSTANCE]
        self._control.crew.adopt(self.found.instances.values(), ended)
        for child, code, pipe in self.found.exits:
            if child.kind != INSTANCE:
                self._other_exit(child, code, pipe)
            self._link.ack(child)
        if self._must_stop:
            self._begin_stop()

    def _failed(self, event: InitEvent, descriptors: list[int]) -> None:
        self._control.crew.spawn_failed(event.id, event.message)

    def _resumed(self, event: InitEvent, descriptors: list[int]) -> None:
        """Init runs a new file: it starts a control of the same build once this one has ended."""
        log.event("control.replaced", build=event.build, file=event.file)
        if self._adopted:  # else the store knows more than this control does
            self._keep_counters()
        self._group.cancel_scope.cancel()

    def _error(self, event: InitEvent, descriptors: list[int]) -> None:
        log.event("init.refused", op=event.op, message=event.message)

    def _stop(self, event: InitEvent, descriptors: list[int]) -> None:
        self._want_stop()

    def _want_stop(self) -> None:
        """The server ends: nothing is started any more; a control that starts itself adopts first what must end."""
        self._must_stop = True
        self._control.inbox.closed = True
        if self._adopted:
            self._begin_stop()

    def _begin_stop(self) -> None:
        """Workers finish first, then the instances, then init."""
        if self._stopping:
            return
        self._stopping = True
        for one in self._control.feeds:
            one.send(feed.encode(feed.Drain(seconds=DRAIN_SECONDS)))
            self._link.send("retire", {"pid": one.child.pid, "start": one.child.start})
        self._stop_next()

    def _stop_next(self) -> None:
        if any(True for _ in self._control.feeds):
            return
        if not self._ending:
            self._ending = True
            self._control.crew.signal_all(signal.SIGTERM)
            self._group.start_soon(self._kill_rest)
        if not self._control.crew.living:
            self._link.send("stopped")

    async def _kill_rest(self) -> None:
        await self._control.clock.sleep(TERM_SECONDS)
        self._control.crew.signal_all(signal.SIGKILL)
