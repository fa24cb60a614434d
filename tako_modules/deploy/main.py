"""A deploy over all servers: side by side, each on its own; a bad server never stops a good one."""

from collections.abc import Sequence

import anyio

from tako_modules.base.clock import Clock
from tako_modules.base.errors import Cancelled, PartlyDone, TakoError, all_failed
from tako_modules.protocol.messages import Cancel
from tako_modules.protocol.replies import StoppedData

from .gate import Gate, ReleaseLost
from .progress import Progress
from .story import Done, Job, Story
from .target import Reach, Target

__all__ = ["Deploy", "verdict"]

ASK_SECONDS = 20.0  # for a server to hear that it is to cancel: another connection, and an answer that comes at once


class Deploy:
    """One run of `tako deploy` from the artifact on; `stop` may be called from a signal handler's task."""

    def __init__(
        self, job: Job, targets: Sequence[Target], *, release: str, reach: Reach, progress: Progress, clock: Clock
    ) -> None:
        self._gate = Gate(release)
        self._progress = progress
        self._stories = [
            Story(target=target, job=job, gate=self._gate, reach=reach, progress=progress, clock=clock)
            for target in targets
        ]
        self._job = job
        self._scopes: dict[str, anyio.CancelScope] = {}
        self.stopping = False

    async def run(self) -> list[Done]:
        """Deploy to all servers and tell how it ended on each, in their order."""
        done: dict[str, Done] = {}

        async def one(story: Story) -> None:
            with anyio.CancelScope() as scope:
                self._scopes[story.target.name] = scope
                done[story.target.name] = await story.run()

        async with anyio.create_task_group() as tasks:
            for story in self._stories:
                tasks.start_soon(one, story)
        return [done.get(story.target.name, self._cancelled(story)) for story in self._stories]

    def _cancelled(self, story: Story) -> Done:
        error = Cancelled("cancelled before anything was changed", hint="run `tako deploy` to deploy")
        if self._gate.started:
            error = Cancelled(
                "cancelled before traffic moved; the release command had begun and may have run, whole or in part",
                hint="look what it did, then run `tako deploy` to deploy: it runs again",
            )
        return Done(server=story.target.name, error=error, reached=story.reached)

    async def stop(self) -> None:
        """Undo on every server: before the deploy message by leaving, after it by asking the server to."""
        if self.stopping:
            return
        self.stopping = True
        rolling = [story for story in self._stories if story.rolling]
        for story in self._stories:
            if story not in rolling and story.target.name in self._scopes:
                self._scopes[story.target.name].cancel()
        async with anyio.create_task_group() as tasks:
            for story in rolling:
                tasks.start_soon(self._ask, story)

    async def _ask(self, story: Story) -> None:
        connection = story.connection
        if connection is None:
            return
        words = "the server did not answer the wish to cancel"
        with anyio.move_on_after(ASK_SECONDS):
            try:
                async with connection.another() as client:
                    await client.call(Cancel(app=self._job.app, fence=story.fence), StoppedData)
                    words = "cancelling"
            except TakoError as error:
                words = error.message
        self._progress.line(story.target.name, words)


def verdict(done: Sequence[Done]) -> TakoError | None:
    """Tell with which error, and so with which exit code, a deploy ends; None when it is done everywhere."""
    errors = [one.error for one in done if one.error is not None]
    if not errors:
        return None
    if len(errors) < len(done):
        names = ", ".join(one.server for one in done if one.error is not None)
        return PartlyDone(
            f"deployed on {len(done) - len(errors)} of {len(done)} servers; not on {names}",
            hint="correct what is said above and run `tako deploy` again: it sends only what is missing",
        )
    lost = next((error for error in errors if isinstance(error, ReleaseLost)), None)
    return lost or all_failed(errors)
