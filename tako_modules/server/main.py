"""Control: the composition root of a server's deciding process, from init's first packet to its own end."""

import grp
import os
import socket
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import anyio
import msgspec
from anyio.abc import TaskGroup

from tako_modules.base import files, log
from tako_modules.base.clock import Clock, SystemClock
from tako_modules.base.errors import TakoError
from tako_modules.base.paths import ServerPaths
from tako_modules.mgmt import peer
from tako_modules.mgmt import server as mgmt
from tako_modules.model import snapshot as feed
from tako_modules.protocol import messages
from tako_modules.store import server as server_rows
from tako_modules.store.db import Store
from tako_modules.supervisor.spawn import Programs

from . import boot, facts
from .certificates import Certificates
from .control import Control
from .crew import Crew
from .doorway import Doorway
from .effects import Effects
from .excuse import excuse
from .feeds import Feeds
from .host import Host
from .inbox import Inbox
from .leases import Leases
from .ledger import Ledger
from .link import Link
from .ops import table
from .options import ServeOptions
from .publish import Publisher
from .registry import Registry
from .rollouts import Rollouts
from .steps import Steps
from .tidy import Tidier

__all__ = ["CHANNEL", "Program", "run"]

CHANNEL = 3  # the descriptor at which init leaves its channel
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
ALREADY = 75  # exit code: another control holds the data directory; init tries again


def run(options: ServeOptions, programs: Programs, *, version: str, build: str) -> int:
    """Be the control process of a server until init ends or replaces it; gives the exit code."""
    paths = ServerPaths(options.data)
    host = Host(paths, rootless=options.rootless)
    try:
        host.prepare_root()
        with files.file_lock(paths.lock, block=False) as mine:
            if not mine:
                log.event("control.twice", data_dir=options.data_dir)
                return ALREADY
            try:
                db = _open(paths.database)
            except TakoError as problem:
                log.event("control.excused", message=problem.message, hint=problem.hint)
                anyio.run(excuse, problem, _link(), host, SystemClock(), _allowed(options))
                return 1
            with closing(db):
                program = Program(
                    options, programs, host, db, version=version, build=build, link=_link(), clock=SystemClock()
                )
                anyio.run(program.main)
    except TakoError as problem:
        log.event("control.ended", message=problem.message, hint=problem.hint)
        return 1
    return 0


def _open(path: Path) -> Store:
    """Open the state and read it once; raises TakoError while init can still be told why."""
    db = Store.open(path)
    try:
        boot.check_readable(db)
    except BaseException:
        db.close()
        raise
    return db


def _link() -> Link:
    return Link(socket.socket(fileno=CHANNEL))


class Program:
    """Makes the parts, hands them to each other, and runs them side by side."""

    def __init__(
        self,
        options: ServeOptions,
        programs: Programs,
        host: Host,
        db: Store,
        *,
        version: str,
        build: str,
        link: Link,
        clock: Clock,
    ) -> None:
        self.options = options
        self.db = db
        self.clock = clock
        self.link = link
        self.registry = Registry()
        self.begun = server_rows.begin(db, BOOT_ID.read_text().strip(), self.clock.monotonic())
        self.feeds = Feeds(self._traffic_fact, self._let_go)
        self.publisher = Publisher(
            self.registry, self.feeds, self.link, epoch=self.begun.epoch, https_port=options.tls_port
        )
        self.publisher.workers = options.workers
        self.publisher.started_at = self.clock.now()
        ledger = Ledger(db, self.clock, rootless=options.rootless, port_offset=options.instance_port_offset)
        crew = Crew(self.registry, host, self.link, self.clock, programs, report=self._report)
        leases = Leases(self.clock, ledger.next_fence, lambda app: host.paths.app(app).lock, self._rolling)
        steps = Steps(ledger, crew, host, self.clock)
        self.inbox = Inbox(self.registry, Effects(steps, ledger, self.publisher, self.clock), self.clock)
        self.certificates = Certificates(options, host.paths.certificates, self.clock, self._republish)
        self.control = Control(
            options=options,
            version=version,
            build=build,
            clock=self.clock,
            registry=self.registry,
            inbox=self.inbox,
            ledger=ledger,
            leases=leases,
            host=host,
            crew=crew,
            feeds=self.feeds,
            publisher=self.publisher,
            certificates=self.certificates,
            rollouts=Rollouts(self.inbox, ledger, self.clock, crew.last_words),
            tidier=Tidier(self.registry, ledger, leases, host, self.clock),
            started_at=self.clock.monotonic(),
        )
        self.doorway = Doorway(self.control, self.link)

    def _rolling(self, app: str) -> bool:
        entry = self.registry.get(app)
        return entry is not None and entry.deployment.rollout is not None

    def _report(self, app: str, fact: facts.Fact) -> None:
        self.inbox.put(app, fact)

    def _republish(self) -> None:
        self.publisher.certificates = self.certificates.current
        self.publisher.publish(self.clock.monotonic(), force=True)

    def _traffic_fact(self, fact: feed.Fact) -> None:
        if isinstance(fact, feed.WakeRequested):
            self.inbox.put(fact.app, facts.Woken())
        elif isinstance(fact, feed.UpstreamFailed):
            log.event("upstream.failed", instance=fact.instance, reason=fact.reason)
            self.control.crew.upstream_failed(fact.instance)
        elif isinstance(fact, feed.InFlight):
            self._active({ident.rpartition("/")[0] for ident in fact.instances})
        elif isinstance(fact, feed.Served):
            self._active({count.app for count in fact.counts})

    def _active(self, apps: Iterable[str]) -> None:
        """Requests keep an on-demand deployment awake; all others need not hear of them."""
        for app in apps:
            entry = self.registry.get(app)
            if entry is not None and entry.deployment.shape is not None and entry.deployment.shape.instances == 0:
                living = [one for one in entry.instances.values() if not one.gone]
                counts = {one.number: self.feeds.in_flight(one.id) for one in living}
                self.inbox.put(app, facts.Active(in_flight=counts))

    def _let_go(self) -> None:
        self.publisher.check_drained(lambda one: self.inbox.put(one.app, facts.Drained(number=one.number)))

    async def main(self) -> None:
        """Learn from init what lives, restore the deployments, then serve until init hangs up."""
        async with anyio.create_task_group() as tasks:
            self.control.crew.begin(tasks)
            doorway = self.doorway
            doorway.begin(tasks)
            tasks.start_soon(self.link.write)
            tasks.start_soon(self._read, tasks.cancel_scope)
            await doorway.complete.wait()
            boot.restore(self.control, self.db, doorway.found, rebooted=self.begun.rebooted)
            left = boot.put_in_order(self.control)
            await self.certificates.want(route for entry in self.registry for route in entry.all_routes)
            doorway.adopt()
            self._republish()
            for entry in list(self.registry):
                self.inbox.put(entry.app, facts.Tick())
            self._serve(tasks, left)

    def _serve(self, tasks: TaskGroup, left: list[Path]) -> None:
        tasks.start_soon(self.inbox.keep_time)
        tasks.start_soon(self.certificates.run)
        tasks.start_soon(self.control.tidier.sweep)
        tasks.start_soon(self.control.leases.sweep)
        tasks.start_soon(boot.keep_counters, self.control)
        tasks.start_soon(boot.delete_leftovers, self.control, left)
        if self.doorway.management is not None:
            tasks.start_soon(self._answer, self.doorway.management)
        self.link.send("status", {"text": f"tako {self.control.version}: {len(list(self.registry))} deployments"})

    async def _read(self, scope: anyio.CancelScope) -> None:
        await self.link.read(self.doorway.take)
        scope.cancel()

    async def _answer(self, management: socket.socket) -> None:
        async def handler(request: messages.Request, call: mgmt.Call) -> msgspec.Struct:
            return await table.answer(request, call, self.control)

        await mgmt.serve(management, handler, allowed=_allowed(self.options), clock=self.clock)


def _allowed(options: ServeOptions) -> Callable[[peer.Peer], str | None]:
    if options.rootless:
        return peer.members(uids=frozenset({0, os.getuid()}), gid=None)
    try:
        group: int | None = grp.getgrnam("tako").gr_gid
    except KeyError:
        group = None
    return peer.members(uids=frozenset({0}), gid=group)
