"""Keep control and the workers running, and control informed about every child."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

from .channel import Channel
from .family import CHECK, CONTROL, Child, Family
from .launch import CannotLaunch
from .listeners import Listener, StartProblem
from .loop import Guard, Loop
from .options import MANAGEMENT, Options
from .programs import Programs
from .requests import WORKER, Named
from .restarts import Restarts
from .state import Kept
from .systemd import say

__all__ = ["Household", "Keeper"]

HANG_UP_GRACE = 1.0  # seconds for a control that closed its channel to end by itself


class Household:
    """What init holds, in one place: it outlives every child, and goes over a re-exec."""

    def __init__(self, options: Options, file: str) -> None:
        self.options = options
        self.file = file
        self.build = 0
        self.listeners: Sequence[Listener] = ()
        self.family = Family()
        self.restarts = Restarts()
        self.snapshot: Kept | None = None
        self.stop_at: float | None = None


class Keeper:
    """Starts what is missing, reaps what ended, and tells control."""

    def __init__(
        self,
        loop: Loop,
        held: Household,
        receive: Callable[[bytes, list[int]], None],
        checked: Callable[[Child], None],
    ) -> None:
        self._loop = loop
        self._held = held
        self._family = held.family
        self._checked = checked
        self.channel = Channel(loop, receive, self.kill_control, self._control_lost)

    @property
    def programs(self) -> Programs:
        """Give what knows how children are started now."""
        held = self._held
        return Programs(held.options, held.listeners, held.family, held.build)

    def start_missing(self) -> None:
        """Start control and every worker that does not live."""
        self._start(CONTROL, CONTROL)
        for number in range(self._held.options.workers):
            self._start(WORKER, str(number))

    def start_worker(self, ident: str) -> None:
        """Start a worker and hand control the channel. Raises CannotLaunch, StartProblem."""
        child = self.programs.worker(ident, self._held.snapshot)
        self.channel.tell(child.public("child"), child.descriptors)

    def is_worker_id(self, ident: str) -> bool:
        """Tell whether there should be a worker of that id."""
        return ident in map(str, range(self._held.options.workers))

    def reap(self) -> None:
        """Take leave of every child that ended."""
        for child in self._family.reap():
            with Guard("exit"):
                self._ended(child)

    def kill_control(self) -> None:
        """End a control that cannot be talked to; the next one gets the whole state."""
        for child in self._family.serving(CONTROL, CONTROL):
            say("control does not read: it is killed and started again")
            self._family.signal(child, signal.SIGKILL)

    def _start(self, kind: str, ident: str) -> None:
        """Start control or a worker, unless one of that id serves, or none is wanted any more."""
        unwanted = kind == WORKER and (self._held.stop_at is not None or not self.is_worker_id(ident))
        if unwanted or self._family.serving(kind, ident):
            return  # a back-off that a re-exec has overtaken must never make two
        try:
            if kind == CONTROL:
                self._start_control()
            else:
                self.start_worker(ident)
        except (CannotLaunch, StartProblem) as error:
            say(f"cannot start {kind} {ident}: {error}")
            self._again(kind, ident, lived=0.0, code=None)

    def _again(self, kind: str, ident: str, *, lived: float, code: int | None) -> None:
        delay = self._held.restarts.delay(f"{kind} {ident}", lived, code)
        self._loop.later(delay, partial(self._start, kind, ident))

    def _start_control(self) -> None:
        """Start control and tell it everything; it decides nothing before the end of the list."""
        self.channel.open(self.programs.control())
        ports = [listener for listener in self._held.listeners if listener.name != MANAGEMENT]
        hello = {
            "event": "hello",
            "pid": os.getpid(),
            "build": self._held.build,
            "file": self._held.file,
            "listeners": {listener.name: listener.address for listener in reversed(ports)},
            "addresses": [[listener.name, listener.address] for listener in ports],
            "workers": self._held.options.workers,
            "rootless": self._held.options.rootless,
            "stopping": self._held.stop_at is not None,
            "seconds": max(0.0, (self._held.stop_at or 0.0) - time.monotonic()),
        }
        self.channel.tell(hello, [self._held.listeners[-1].descriptor])
        for child in self._family.reported():
            self.channel.tell(child.public("child"), child.descriptors)
        for child in self._family.ended.values():
            self.channel.tell(child.public("exit"), child.descriptors)
        self.channel.tell({"event": "end"})

    def _ended(self, child: Child) -> None:
        if child.kind == CHECK:
            self._checked(child)
        elif child.kind == CONTROL:
            say(f"control ended with {child.code}")
            self.channel.drain()  # what it asked before is done, so that no acknowledgement is lost
            self.channel.close()
            self._again(CONTROL, CONTROL, lived=child.ended - child.since, code=child.code)
        else:
            self._family.keep(child)
            self.channel.tell(child.public("exit"))
            if child.kind == WORKER and not child.retired:
                self._again(WORKER, child.id, lived=child.ended - child.since, code=child.code)

    def _control_lost(self) -> None:
        """Make sure that a control without a channel ends: a new one can only follow it."""
        for child in self._family.serving(CONTROL, CONTROL):
            self._loop.later(HANG_UP_GRACE, partial(self._kill_named, child.name))

    def _kill_named(self, name: Named) -> None:
        child = self._family.find(name)
        if child is not None:
            self._family.signal(child, signal.SIGKILL)
