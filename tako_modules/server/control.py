"""The parts of a control process, as the operations see them."""

from collections.abc import Callable
from dataclasses import dataclass

from tako_modules.base.clock import Clock
from tako_modules.base.errors import Refused, TakoError
from tako_modules.base.ids import DEPLOYMENT_ID
from tako_modules.model.deployment import Counters, Deployment

from .certificates import Certificates
from .crew import Crew
from .feeds import Feeds
from .host import Host
from .inbox import Inbox
from .leases import Leases
from .ledger import Ledger
from .options import ServeOptions
from .publish import Publisher
from .registry import Entry, Registry
from .rollouts import Rollouts
from .tidy import Tidier

__all__ = ["Control", "check_id"]

LOOK_SECONDS = 0.05  # between looks at something that other tasks bring about


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Everything an operation may use; made once by the composition root; started_at: monotonic seconds."""

    options: ServeOptions
    version: str
    build: str
    clock: Clock
    registry: Registry
    inbox: Inbox
    ledger: Ledger
    leases: Leases
    host: Host
    crew: Crew
    feeds: Feeds
    publisher: Publisher
    certificates: Certificates
    rollouts: Rollouts
    tidier: Tidier
    started_at: float

    def entry(self, app: str) -> Entry:
        """Find a deployment that exists; raises Refused."""
        check_id(app)
        found = self.registry.get(app)
        if found is None:
            raise Refused(
                f"{app} is not deployed on this server", code="not_found", hint="run `tako deploy` to deploy it"
            )
        return found

    def adopt(self, app: str) -> Entry:
        """Find a deployment, or begin to know it: its first artifact is on the way."""
        found = self.registry.get(app)
        if found is not None:
            return found
        entry = self.registry.add(Deployment(app=app, uid=self.ledger.uid(app)))
        self.ledger.save_deployment(entry.deployment)
        return entry

    def counters(self, app: str) -> Counters:
        """Give the requests of a deployment, over all workers and versions."""
        return self.feeds.tally.of(app)

    def counters_by_version(self, app: str) -> dict[str, Counters]:
        """Give the requests of a deployment per version."""
        return self.feeds.tally.by_version(app)

    def publish(self) -> None:
        """Tell the data plane what is new."""
        self.publisher.publish(self.clock.monotonic())

    async def tidy(self, app: str, *, give_up: str = "") -> None:
        """Put a deployment's releases in order."""
        await self.tidier.tidy(app, give_up=give_up)

    async def until(self, true: Callable[[], bool], seconds: float) -> None:
        """Wait until something holds; raises TakoError after `seconds`."""
        end = self.clock.monotonic() + seconds
        while not true():
            if self.clock.monotonic() > end:
                raise TakoError(f"it did not happen within {seconds:.0f} s", hint="look with `tako status`")
            await self.clock.sleep(LOOK_SECONDS)


def check_id(app: str) -> None:
    """Refuse what is no deployment id: it becomes folder names."""
    if not DEPLOYMENT_ID.fullmatch(app):
        raise Refused(
            f"{app!r} is not a deployment id", code="invalid", hint="use `<app>` or `<app>.<env>`, lower case"
        )
