"""What a deploy does on one server, from the first connection to the receipt."""

from dataclasses import dataclass, field

import msgspec

from tako_modules.base.clock import Clock
from tako_modules.base.errors import Cancelled, Locked, Refused, TakoError, Unreachable
from tako_modules.base.text import size_text
from tako_modules.build.artifact import Artifact
from tako_modules.mgmt.client import Client, Event
from tako_modules.mgmt.refusal import Refusal, sole_error
from tako_modules.model.release import Recipe
from tako_modules.plan import conflicts, delivery, space
from tako_modules.plan.delivery import Phase
from tako_modules.protocol.messages import Deploy, Prepare, Routes, RunRelease, ServerInfo, Upload
from tako_modules.protocol.replies import (
    DeployedData,
    ExitData,
    FailureData,
    PrepareData,
    RoutesData,
    ServerInfoData,
    UploadData,
)

from . import lease
from .gate import Gate, ReleaseFailed, ReleaseLost
from .progress import Progress
from .target import Connection, Reach, Target

__all__ = ["Done", "Job", "Story"]

LAST_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is deployed, the same for every server."""

    app: str
    artifact: Artifact
    env: dict[str, str]
    recipe: Recipe
    routes: tuple[str, ...]
    note: str = ""
    wait: float = 0.0


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended on one server; seconds per phase; https_port: where the app answers."""

    server: str
    deployed: DeployedData | None = None
    error: TakoError | None = None
    reached: bool = False
    phases: dict[str, float] = {}
    sent: int = 0
    saved: int = 0
    https_port: int = 443


@dataclass(slots=True)
class Story:
    """One server's deploy; `rolling` tells that the deploy message is out and the server owns the rest."""

    target: Target
    job: Job
    gate: Gate
    reach: Reach
    progress: Progress
    clock: Clock
    rolling: bool = False
    connection: Connection | None = None
    fence: int = 0
    version: str = ""
    path: str = ""
    deployed: DeployedData | None = None
    reached: bool = False
    phases: dict[str, float] = field(default_factory=dict)
    sent: int = 0
    saved: int = 0
    https_port: int = 443

    def __post_init__(self) -> None:
        self.version = self.job.artifact.version

    async def run(self) -> Done:
        """Go through all steps; a failure ends this server's story and nobody else's."""
        problem: TakoError | None = None
        lost: ReleaseLost | None = None
        try:
            async with self.reach(self.target.server) as self.connection:
                self.reached = True
                await self._follow(self.connection)
        except TakoError as error:
            problem = _own(error)
        except BaseExceptionGroup as group:
            problem = _own(_sole_problem(group))
        finally:
            self.progress.end(self.target.name, ok=self.deployed is not None)
            if self.deployed is None:
                lost = self.gate.leave(self.target.name)
        return Done(
            server=self.target.name,
            deployed=self.deployed,
            error=lost if lost and isinstance(problem, Unreachable) else problem,
            reached=self.reached,
            phases=self.phases,
            sent=self.sent,
            saved=self.saved,
            https_port=self.https_port,
        )

    def _step(self, text: str) -> None:
        self.progress.step(self.target.name, text)

    def _line(self, text: str) -> None:
        self.progress.line(self.target.name, text)

    def _event(self, event: Event) -> None:
        """Pass on what the server tells: facts of a moment, while the step that asked for them goes on."""
        self._line(event.text)

    async def _follow(self, connection: Connection) -> None:
        """Carry out the plan under a lease."""
        carry_out = {
            Phase.PREFLIGHT: self._preflight,
            Phase.UPLOAD: self._upload,
            Phase.PREPARE: self._prepare,
            Phase.RELEASE: self._release,
            Phase.ROLLOUT: self._deploy,
        }
        wanted = self.target.delivery(self.gate.command, self.job.recipe, self.job.routes)
        self._step("taking the lease")
        async with lease.hold(
            connection, self.job.app, self.clock, wait=self.job.wait, waiting=self._line
        ) as self.fence:
            for phase, _ in delivery.stages(wanted):
                if phase is Phase.RELEASE and not await self.gate.mine(self.target.name):
                    continue  # another server has run it
                started = self.clock.monotonic()
                try:
                    await carry_out[phase](connection.client)
                finally:
                    self.phases[phase.value] = self.clock.monotonic() - started

    async def _preflight(self, client: Client) -> None:
        self._step("checking disk and routes")
        info = await client.call(ServerInfo(), ServerInfoData)
        self.https_port = info.https_port
        required = space.required(self.job.artifact.size)
        if info.free_bytes < required:
            raise Refused(
                f"the server's disk is full: {size_text(required)} are required under {info.data_dir}, "
                f"{size_text(info.free_bytes)} are free",
                code="disk_full",
                hint=f"free space on {self.target.name} (look with `df -h {info.data_dir}`), then run `tako deploy`",
            )
        taken = await client.call(Routes(), RoutesData)
        others = {line.app: line.routes for line in taken.routes if line.app != self.job.app}
        conflicts.refuse_taken(self.job.routes, others)
        self.gate.claim(self.target.name)

    async def _upload(self, client: Client) -> None:
        artifact = self.job.artifact
        self._step(f"uploading {size_text(artifact.size)}")
        try:
            done = await self._send(client)
        except Refused as error:
            self._rename(error)
            done = await self._send(client)
        self.sent, self.saved = done.received, artifact.size - done.received
        if done.known:
            self._line("the server has this version already: nothing to send")
        self.path = done.path

    async def _send(self, client: Client) -> UploadData:
        artifact = self.job.artifact
        request = Upload(
            app=self.job.app, fence=self.fence, version=self.version, size=artifact.size, sha256=artifact.sha256
        )
        return await client.upload(
            request, artifact.path, lambda count: self.progress.sent(self.target.name, count, artifact.size)
        )

    def _rename(self, refused: Refused) -> None:
        """Go on under the name of the content where the server knows the commit's name for something else."""
        other = self.job.artifact.other_name
        if refused.code != "conflict" or other in ("", self.version):
            raise refused
        self._line(f"{self.version} is there already, built elsewhere in another way: this one becomes {other}")
        self.version = other

    async def _prepare(self, client: Client) -> None:
        self._step("preparing the release")
        try:
            await self._make_ready(client)
        except Refused as error:
            self._rename(error)
            again = await self._send(client)
            self.sent, self.path = self.sent + again.received, again.path
            await self._make_ready(client)

    async def _make_ready(self, client: Client) -> None:
        request = Prepare(
            app=self.job.app,
            fence=self.fence,
            version=self.version,
            env=self.job.env,
            recipe=self.job.recipe,
        )
        await client.call(request, PrepareData, self._event)

    async def _release(self, client: Client) -> None:
        self._step("running the release command")
        lines: list[str] = []

        def heard(event: Event) -> None:
            lines.append(event.text)
            del lines[:-LAST_LINES]
            self._event(event)

        request = RunRelease(app=self.job.app, fence=self.fence, version=self.version, run=self.gate.command)
        self.gate.begin()
        try:
            done = await client.call(request, ExitData, heard)
        except (Unreachable, Locked):
            raise  # it may run on, or be somebody else's by now
        except TakoError as error:
            raise self._release_failed(error.message, None, lines) from error
        if done.exit_code != 0:
            raise self._release_failed(f"exit code {done.exit_code}", done.exit_code, lines)
        self.gate.open()

    def _release_failed(self, why: str, code: int | None, lines: list[str]) -> Refusal:
        """Shut the gate for all, and word the failure with the last lines of the command."""
        failure = FailureData(
            rule="the release command failed", detail=self.gate.command, exit_code=code, log=tuple(lines)
        )
        error = Refusal(
            f"the release command failed on {self.target.name}: {why}; nothing was changed",
            code="release_failed",
            hint="correct it, try it with `sh -c`, and run `tako deploy` again",
            failure=failure,
        )
        self.gate.shut(ReleaseFailed(error.message, hint=error.hint))
        return error

    async def _deploy(self, client: Client) -> None:
        self._step("rolling out")
        self.rolling = True
        request = Deploy(
            app=self.job.app,
            fence=self.fence,
            version=self.version,
            path=self.path,
            routes=self.job.routes,
            instances=self.target.instances,
            idle_timeout=self.target.idle_timeout,
            note=self.job.note,
        )
        self.deployed = await client.call(request, DeployedData, self._event)


def _own(error: TakoError) -> TakoError:
    """What the person asked for is no failure of the server: it exits as a cancellation."""
    return Cancelled(error.message, hint=error.hint) if error.code == "cancelled" else error


def _sole_problem(group: BaseExceptionGroup) -> TakoError:
    """Take the one error of ours out of a task group's; anything else is a bug and stays one."""
    error = sole_error(group)
    if isinstance(error, TakoError):
        return error
    raise group
