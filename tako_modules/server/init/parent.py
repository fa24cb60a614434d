"""init itself: begins or goes on, does what control asks, stops."""

import errno
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from typing import NoReturn

from . import systemd
from .family import CHECK, Child
from .fields import WORD_LIMIT, Fields, Refused
from .keeper import Household, Keeper
from .launch import CannotLaunch
from .listeners import StartProblem, open_all, remove_socket
from .loop import SIGNALS, Guard, Loop
from .options import Options
from .renewal import Renewal
from .requests import (
    WORKER,
    Ack,
    Kill,
    Named,
    Reexec,
    Request,
    Retire,
    Spawn,
    Status,
    Stopped,
    StoreSnapshot,
    Worker,
    read,
)
from .restarts import Restarts
from .state import Kept, State

__all__ = ["Parent"]

STOP_DEADLINE = 60.0  # seconds control has after SIGTERM: below the unit's TimeoutStopSec of 90
FINISH_DEADLINE = 2.0  # seconds to see the killed end, so that their ports are free when init is gone
REASON_LIMIT = 1000  # characters of a reason: a request is never sent back whole
WORKERS_OF_AN_ID = 2  # the one that serves and the one that will


class Parent:
    """The one object of the process: `begin`, then turns of the loop for ever."""

    def __init__(self, loop: Loop, options: Options, renewal: Renewal) -> None:
        self._loop = loop
        self._renewal = renewal
        self._held = Household(options, renewal.file)
        self._family = self._held.family
        self._keeper = Keeper(loop, self._held, self._receive, self._checked)
        self._channel = self._keeper.channel

    def begin(self, kept: Mapping[str, int], state: State | None) -> None:
        """Open or take over everything, reap, then start what is missing. Raises StartProblem."""
        if state is not None:
            self._take_over(state)
        self._held.listeners, problems = open_all(self._held.options, kept, resumed=state is not None)
        self._loop.handle_signals(self._on_signal)
        self._keeper.reap()  # first who died during the exec: nothing is started twice, nothing is missed
        if self._channel.descriptor is None:
            self._keeper.kill_control()  # one without a channel; its end starts the next
        else:
            self._channel.tell({"event": "resumed", "build": self._held.build, "file": self._held.file})
        self._keeper.start_missing()
        for problem in problems:
            systemd.say(problem)
            self._refuse("listen", problem)
        status = f"build {self._held.build} from {self._held.file}"
        systemd.notify(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def serve(self) -> NoReturn:
        """Do what comes, for ever; a stop raises SystemExit."""
        while True:
            self._loop.turn()

    def _take_over(self, state: State) -> None:
        for number in state.descriptors():
            os.set_inheritable(number, False)
        self._held.build = state.build
        self._family.living.update((child.pid, child) for child in state.living)
        self._family.ended.update((child.name, child) for child in state.ended)
        self._held.restarts = Restarts(state.restarts)
        self._held.snapshot = state.snapshot
        if state.control is not None:
            self._channel.open(socket.socket(fileno=state.control), state.queue)

    def _state(self) -> State:
        """Gather what the next build needs."""
        return State(
            build=self._held.build + 1,
            listeners={systemd.store_name(one.key): one.descriptor for one in self._held.listeners},
            living=tuple(child for child in self._family.living.values() if child.kind != CHECK),
            ended=tuple(self._family.ended.values()),
            restarts=self._held.restarts.counts,
            control=self._channel.descriptor,
            queue=tuple(self._channel.queue),
            snapshot=self._held.snapshot,
        )

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._reexec(Reexec())
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stop()
        self._keeper.reap()

    def _receive(self, data: bytes, descriptors: list[int]) -> None:
        """Do one request; nothing that control sends may end init."""
        op = ident = ""
        with Guard("request", self._fault):
            try:
                fields = Fields.from_json(data)
                ident = fields.glance("id")[:WORD_LIMIT]
                op = fields.text("op")
                self._do(read(fields, op, len(descriptors)), descriptors)
            except (Refused, StartProblem) as error:
                self._refuse(op, str(error), ident)
            except CannotLaunch as error:
                self._failed(ident, error)

    def _do(self, request: Request, descriptors: Sequence[int]) -> None:
        match request:
            case Spawn():
                self._spawn(request, descriptors[0] if request.stdin else None)
            case Kill():
                child = self._family.find(request.process)
                if child is not None:
                    self._family.signal(child, request.signal, request.scope)
            case Ack():
                self._family.forget(request.process)
            case Worker():
                self._start_worker(request.id)
            case Retire():
                self._retire(request.process)
            case StoreSnapshot():
                self._keep_snapshot(Kept(request.packet, os.dup(descriptors[0])))
            case Reexec():
                self._reexec(request)
            case Status():
                systemd.notify("STATUS=" + " ".join(request.text.split()))
            case Stopped():
                self._finish()

    def _refuse(self, op: str, message: str, ident: str = "") -> None:
        if op == "spawn" and ident:
            self._failed(ident, CannotLaunch(errno.EINVAL, "request", message[:REASON_LIMIT]))
        else:
            reason = {"op": op[:WORD_LIMIT], "message": message[:REASON_LIMIT]}
            self._channel.tell({"event": "error", **reason})

    def _failed(self, ident: str, error: CannotLaunch) -> None:
        answer = {"event": "failed", "id": ident, "errno": error.errno, "step": error.step}
        self._channel.tell({**answer, "message": str(error)})

    def _fault(self, problem: str) -> None:
        systemd.say(problem)
        self._refuse("", problem)

    def _spawn(self, request: Spawn, standard_input: int | None) -> None:
        if self._held.options.rootless and request.identity is not None:
            raise Refused("uid and gid cannot be changed in a rootless server")
        if not self._held.options.rootless and request.identity is None:
            raise Refused("uid and gid are missing")  # a forgotten key must not run an app as root
        if self._family.serving(request.kind, request.id):
            raise Refused(f"{request.kind} {request.id} is running")
        child = self._keeper.programs.instance(request, standard_input)
        self._channel.tell(child.public("spawned"), child.descriptors)

    def _start_worker(self, ident: str) -> None:
        if not self._keeper.is_worker_id(ident):
            raise Refused(f"no worker has the id {ident}")
        if len(self._family.serving(WORKER, ident)) >= WORKERS_OF_AN_ID:
            raise Refused(f"worker {ident} is being replaced")
        try:
            self._keeper.start_worker(ident)
        except CannotLaunch as error:
            raise Refused(str(error)) from error

    def _retire(self, name: Named) -> None:
        child = self._family.find(name)
        if child is not None and child.kind != WORKER:
            raise Refused("only a worker can be retired")
        if child is not None:
            self._family.retire(child)

    def _keep_snapshot(self, snapshot: Kept) -> None:
        if self._held.snapshot is not None:
            os.close(self._held.snapshot.descriptor)
        self._held.snapshot = snapshot

    # Going on as another file

    def _reexec(self, request: Reexec) -> None:
        if self._held.stop_at is not None:
            return
        problem = self._renewal.ask(request, self._state, self._family)
        if problem:
            self._refuse("reexec", problem)

    def _checked(self, child: Child) -> None:
        problem = self._renewal.verdict(child)
        newer = self._renewal.next()
        if newer is not None:
            self._reexec(newer)
        elif problem:
            self._refuse("reexec", self._renewal.refuse(problem))
        else:
            self._loop.later(0, self._renew)

    def _renew(self) -> None:
        """Become the new file, unless a stop has come first."""
        with self._loop.signals_held():
            newer = self._renewal.next()  # a SIGHUP that came after the check
            if newer is not None:
                self._reexec(newer)
            elif self._held.stop_at is None:
                problem = self._renewal.go(self._state())
                self._refuse("reexec", self._renewal.refuse(problem))

    # The end

    def _stop(self) -> None:
        """Ask control to stop everything in order; end it after the deadline."""
        if self._held.stop_at is not None:
            return
        self._held.stop_at = time.monotonic() + STOP_DEADLINE
        systemd.notify("STOPPING=1")
        self._channel.tell({"event": "stop", "seconds": STOP_DEADLINE})
        self._loop.later(STOP_DEADLINE, self._finish)

    def _finish(self) -> None:
        """Kill what is left, wait until it is gone, and end."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for child in self._family.living.values():
            self._family.destroy(child)
        deadline = time.monotonic() + FINISH_DEADLINE
        while self._someone_lives() and (left := deadline - time.monotonic()) > 0:
            signal.sigtimedwait({signal.SIGCHLD}, left)
        remove_socket(self._held.options.socket)
        raise SystemExit(0)

    def _someone_lives(self) -> bool:
        for child in self._family.reap():
            self._family.keep(child)
        return bool(self._family.living)
