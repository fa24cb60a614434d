"""Instances as control handles them: init is asked to start and signal them; health and output are watched here."""

import os
import signal
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from tako_modules.base import log
from tako_modules.base.clock import Clock
from tako_modules.base.errors import TakoError
from tako_modules.base.ids import split_deployment_id
from tako_modules.config import layer
from tako_modules.model.instance import Instance, InstanceState
from tako_modules.model.release import Release
from tako_modules.plan.view import ACTIVE
from tako_modules.supervisor import keeper, ports, spawn, verdict
from tako_modules.telemetry import follow
from tako_modules.telemetry.capture import Capture

from . import facts
from .chores import Chores, chore_id
from .host import Host
from .link import Child, Link
from .registry import Entry, Registry

__all__ = ["Crew"]

Owns = Callable[[], Awaitable[ports.Ownership]]
TAKO = "{tako}"
PORTS_SECONDS = 10.0  # the one-shot look at an instance's listeners


class Crew:
    """Starts, watches and signals instances; tells the inbox through `report`."""

    def __init__(
        self,
        registry: Registry,
        host: Host,
        link: Link,
        clock: Clock,
        programs: spawn.Programs,
        *,
        report: Callable[[str, facts.Fact], None],
    ) -> None:
        self._registry = registry
        self._host = host
        self._link = link
        self._clock = clock
        self._programs = programs
        self._report = report
        self._tasks: TaskGroup | None = None
        self._watching: dict[str, anyio.CancelScope] = {}
        self._troubled: set[str] = set()
        self._children: dict[str, Child] = {}
        self.chores = Chores(link)
        self._captures: dict[str, Capture] = {}

    def begin(self, tasks: TaskGroup) -> None:
        """Say which task group watches the instances."""
        self._tasks = tasks

    def ground(self, app: str, version: str, uid: int | None) -> spawn.Ground:
        """Tell where and as whom a deployment's processes run."""
        folders = self._host.paths.app(app)
        return spawn.Ground(
            release=folders.release(version),
            home=folders.data,
            temporary=self._host.paths.temporary / app,
            uid=uid,
            gid=uid,
        )

    def start(self, entry: Entry, one: Instance) -> None:
        """Ask init for an instance; raises TakoError for what no process can be given."""
        release = entry.releases.get(one.version)
        if release is None or release.recipe is None:
            raise TakoError(f"the release {one.version} of {entry.app} is not prepared")
        env = self.environment(release, number=one.number, port=one.port)
        if TAKO in release.recipe.start:
            env |= _runtime_environment()
        ground = self.ground(entry.app, one.version, entry.deployment.uid)
        request = spawn.instance_request(one, release.recipe, env, ground, self._programs)
        self._link.send("spawn", request.fields())

    def environment(self, release: Release, *, number: int = 0, port: int = 0) -> dict[str, str]:
        """Merge a release's variables with Tako's own."""
        app, env = split_deployment_id(release.app)
        own = layer.Own(
            app=app,
            env=env,
            build=release.version,
            instance=str(number) if number else "",
            port=port,
            data_dir=str(self._host.paths.app(release.app).data),
        )
        runtime = release.recipe.env if release.recipe else {}
        return layer.instance_environment(own, variables=release.env, secrets={}, runtime=runtime, inherited=os.environ)

    def failed_to_start(self, entry: Entry, one: Instance, message: str) -> None:
        """An instance could not even be asked for."""
        self._report(entry.app, facts.SpawnFailed(number=one.number, message=message))

    def spawned(self, child: Child, pipe: int) -> None:
        """Init has started an instance."""
        self.adopt([(child, pipe)])

    def adopt(self, living: Iterable[tuple[Child, int]], ended: Iterable[tuple[Child, int, int | None]] = ()) -> None:
        """Take over instances that init holds, and exits that no control has read, each with its pipe.

        All of them are known before anything is decided: the facts of one may bring a step about another.
        """
        held = [(child, entry) for child, pipe in living if (entry := self._hold(child, pipe)) is not None]
        for child, code, last_words in ended:
            self.exited(child, code, last_words)
        for child, entry in held:
            if self._children.get(child.id) == child:
                self._announce(entry, child)

    def _hold(self, child: Child, pipe: int) -> Entry | None:
        """Know an instance's process, and send it what was decided before anybody knew it."""
        entry, one = self._find(child.id)
        if entry is None or one is None or one.gone:
            log.event("instance.unknown", id=child.id, pid=child.pid)
            os.close(pipe)
            self._link.kill(child, signal.SIGKILL)
            return None
        self._children[child.id] = child
        self._capture(entry, one, pipe)
        unheard = one.pid is None  # one that has a pid has had its SIGTERM, and some apps give up at a second
        if one.killed:
            self._link.kill(child, signal.SIGKILL)
        elif one.terminated_at is not None and unheard:
            self._link.kill(child, signal.SIGTERM)
        return entry

    def _announce(self, entry: Entry, child: Child) -> None:
        number = int(child.id.rpartition("/")[2])
        self._report(entry.app, facts.Spawned(number=number, pid=child.pid, birth=child.start))
        one = entry.instances.get(number)
        if one is not None and one.state in ACTIVE:
            self._watch(entry, one, child)

    def _capture(self, entry: Entry, one: Instance, pipe: int) -> Capture:
        folder = self._host.paths.logs / entry.app
        capture = Capture(folder, one.number, pipe, self._clock, rootless=self._host.rootless)
        self._captures[one.id] = capture
        if self._tasks is not None:
            self._tasks.start_soon(capture.run)
        return capture

    def exited(self, child: Child, code: int, pipe: int | None) -> None:
        """An instance has ended; its last words are in the pipe that came with the report, or in ours."""
        self._children.pop(child.id, None)
        entry, one = self._find(child.id)
        if entry is None or one is None:
            if pipe is not None:
                os.close(pipe)
            return
        capture = self._captures.pop(one.id, None)
        if capture is None and pipe is not None:
            capture = Capture(
                self._host.paths.logs / entry.app, one.number, pipe, self._clock, rootless=self._host.rootless
            )
        if capture is not None:
            capture.finish()
        self.stop_watching(one)
        self._report(entry.app, facts.Exited(number=one.number, code=code))

    def signal(self, one: Instance, number: int) -> None:
        """Signal an instance; quiet when it has ended, and when init has not told of it yet: then it is sent later."""
        child = self._children.get(one.id)
        if child is not None:
            self._link.kill(child, number)

    def signal_all(self, number: int) -> None:
        """Signal every instance that lives: the server ends."""
        for child in self._children.values():
            self._link.kill(child, number)

    @property
    def living(self) -> int:
        """How many instances have not ended."""
        return len(self._children)

    def spawn_failed(self, ident: str, message: str) -> None:
        """Init could not start what was asked for."""
        entry, one = self._find(ident)
        if entry is None or one is None:
            self.chores.failed(ident, message)
        else:
            self._report(entry.app, facts.SpawnFailed(number=one.number, message=message))

    async def last_words(self, app: str, number: int) -> tuple[str, ...]:
        """Read the last lines that an instance printed."""
        return await anyio.to_thread.run_sync(follow.last_lines, self._host.paths.logs / app, number)

    def stop_watching(self, one: Instance) -> None:
        """Stop probing an instance."""
        self._troubled.discard(one.id)
        scope = self._watching.pop(one.id, None)
        if scope is not None:
            scope.cancel()

    def _find(self, ident: str) -> tuple[Entry | None, Instance | None]:
        app, _, number = ident.rpartition("/")
        entry = self._registry.get(app)
        if entry is None or not number.isdigit():
            return None, None
        return entry, entry.instances.get(int(number))

    def _watch(self, entry: Entry, one: Instance, child: Child) -> None:
        if self._tasks is None:
            return
        release = entry.releases.get(one.version)
        path = release.recipe.health.path if release and release.recipe else ""
        watched = keeper.Watched(
            instance=one.id,
            number=one.number,
            port=one.port,
            host=verdict.app_host(entry.routes_of(one)),
            path=path,
            healthy=one.state is not InstanceState.STARTING,
        )
        owns = partial(self._ownership, entry, one, child)
        scope = self._watching[one.id] = anyio.CancelScope()
        self._tasks.start_soon(self._keep, scope, entry.app, one.number, watched, owns)

    async def _keep(self, scope: anyio.CancelScope, app: str, number: int, watched: keeper.Watched, owns: Owns) -> None:
        def report(fact: keeper.ProbeFact) -> None:
            if isinstance(fact, keeper.ProbePassed):
                self._report(app, facts.Passed(number=number, warning=fact.warning))
            elif fact.final:
                self._report(app, facts.Broke(number=number, failure=fact.failure))
            else:
                self._report(app, facts.Probed(number=number, failure=fact.failure))

        with scope:
            await keeper.keep(
                watched, report, self._clock, owns, troubled=partial(self._was_troubled, watched.instance)
            )

    def _was_troubled(self, ident: str) -> bool:
        """Tell once whether the data plane has had trouble with an instance."""
        found = ident in self._troubled
        self._troubled.discard(ident)
        return found

    def upstream_failed(self, ident: str) -> None:
        """The data plane had no answer from an instance: the next probe looks harder than a connection does."""
        if ident in self._watching:
            self._troubled.add(ident)

    async def _ownership(self, entry: Entry, one: Instance, child: Child) -> ports.Ownership:
        """Look whose an instance's port is: as its own user, for no other may read its descriptors."""
        uid = entry.deployment.uid
        table = ports.listeners()
        if uid is None:
            mine = await anyio.to_thread.run_sync(ports.owned_by, child.pid)
            return ports.judge(table, one.port, None, mine)
        lines: list[str] = []

        async def keep_line(line: str) -> None:
            if len(lines) < ports.REPORT_LIMIT:
                lines.append(line[: ports.LINE_LIMIT])

        argv = ("{tako}", "__ports__", str(child.pid))
        ground = self.ground(entry.app, one.version, uid)
        request = spawn.task_request(chore_id(), argv, {}, ground, programs=self._programs, path=())
        await self.chores.run(request, keep_line, seconds=PORTS_SECONDS)
        return ports.judge(table, one.port, uid, ports.read_report("\n".join(lines)))

    def install_task(self, release: Release, argv: tuple[str, ...]) -> spawn.SpawnRequest:
        """Make the request for one install command of a release; what it caches is no data of the app."""
        cache = str(self._host.paths.caches / release.app)
        kept = {"PIP_CACHE_DIR": cache, "XDG_CACHE_HOME": cache}
        env = {**_network_environment(), **self.environment(release), **_runtime_environment(), **kept}
        return self._task(release, argv, env)

    def command_task(self, release: Release, command: str) -> spawn.SpawnRequest:
        """Make the request for a shell command of a release."""
        return self._task(release, ("/bin/sh", "-c", command), self.environment(release))

    def _task(self, release: Release, argv: tuple[str, ...], env: dict[str, str]) -> spawn.SpawnRequest:
        entry = self._registry.get(release.app)
        ground = self.ground(release.app, release.version, entry.deployment.uid if entry else None)
        path = release.recipe.path if release.recipe else ()
        return spawn.task_request(chore_id(), argv, env, ground, programs=self._programs, path=path)


def _runtime_environment() -> dict[str, str]:
    """Tell a tako that runs as an app's user where its unpacked runtime is: its HOME is the app's data."""
    runtime = os.environ.get("TAKO_CACHE") or str(Path(__file__).parents[3])
    return {"TAKO_CACHE": runtime} if os.environ.get("TAKO_PYZ") else {}


def _network_environment() -> dict[str, str]:
    """Pick what the ecosystems' own clients are set up with on this server: mirrors, proxies and CAs."""
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy")
    return {
        name: value
        for name, value in os.environ.items()
        if name in names or name.startswith(("PIP_", "NPM_CONFIG_", "npm_config_", "UV_"))
    }
