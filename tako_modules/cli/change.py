"""What rollback, scale, restart, start and stop have in common: one message to every server, under its lease."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from tako_modules.base.errors import PartlyDone, TakoError, all_failed
from tako_modules.deploy.target import Connection, Target
from tako_modules.protocol.messages import Request
from tako_modules.protocol.replies import DeployedData, FailureData

from . import receipt, session
from .console import Console
from .session import Session, document
from .steps import Shown

__all__ = ["change_all", "instances_text", "report", "send_all", "tell_error", "verdict"]

T = TypeVar("T", bound=msgspec.Struct)
Make = Callable[[str, int], Request]
ON_DEMAND = "on demand: it sleeps when nobody asks, and a request starts it"


def change_all(opened: Session, verb: str, make: Make) -> None:
    """Send a message that replaces instances to every server of the project, and print what it did."""
    app, targets = opened.deployed()
    results = send_all(opened, app, targets, make, DeployedData, doing="rolling out")
    report(opened.console, verb, app, results, _tell_change)


def send_all(
    opened: Session, app: str, targets: list[Target], make: Make, kind: type[T], *, doing: str
) -> dict[str, T | TakoError]:
    """Send a message to every server under the lease of a deployment; `make` gets its id and the fence.

    doing: the step that runs meanwhile; what a server tells are lines under it.
    """
    shown = Shown(opened.console, several=len(targets) > 1)

    async def act(target: Target, connection: Connection, fence: int) -> T:
        ok = False
        shown.step(target.name, doing)
        try:
            done = await connection.client.call(
                make(app, fence), kind, lambda event: shown.line(target.name, event.text)
            )
            ok = True
        finally:
            shown.end(target.name, ok=ok)
        return done

    return session.run(lambda: opened.locked(app, targets, act))


def report(
    screen: Console, verb: str, app: str, results: dict[str, T | TakoError], tell: Callable[[Console, str, T], None]
) -> None:
    """Print what every server answered, or the document behind what is said; raises the error of the verb's end."""
    errors = {}
    for name, result in results.items():
        if isinstance(result, TakoError):
            errors[name] = result
            tell_error(screen, name, result, alone=len(results) == 1)
        else:
            tell(screen, name, result)
    screen.emit(
        {
            "schema": f"tako.{verb}/1",
            "app": app,
            "servers": [document(name, result) for name, result in results.items()],
        }
    )
    if errors:
        raise verdict(errors, len(results))


def verdict(errors: dict[str, TakoError], count: int) -> TakoError:
    """Choose the error, and so the exit code, of a verb over several servers."""
    if len(errors) < count:
        return PartlyDone(
            f"done on {count - len(errors)} of {count} servers; not on {', '.join(errors)}",
            hint="correct what is said above and run the command again",
        )
    return all_failed(list(errors.values()))


def tell_error(screen: Console, server: str, error: TakoError, *, alone: bool) -> None:
    """Say why one server did not do it; what is alone is told by the verb's end."""
    if not alone:
        screen.error(f"{server}: {error.message}")
        receipt.tell_hint(screen, error)
    failure = getattr(error, "failure", None)
    if isinstance(failure, FailureData):
        for line in receipt.failure_lines(failure):
            screen.error(line)


def _tell_change(screen: Console, server: str, done: DeployedData) -> None:
    counts = done.receipt.requests
    screen.line(f"{done.app} {done.version} serves on {server}")
    screen.line(f"  {instances_text(done)}")
    screen.line(f"  requests meanwhile: {counts.started} started, {counts.finished} finished, {counts.failed} failed")
    for warning in done.warnings:
        screen.warn(warning)


def instances_text(done: DeployedData) -> str:
    """Say what became of the instances: replaced, more, fewer, on demand, or left as they are."""
    new, old = done.new_instances, done.old_instances
    if new:
        return f"{_count(new, 'new instance')}, {old} replaced"
    stopped = f"{_count(old, 'instance')} stopped" if old else ""
    if done.on_demand:
        return "; ".join(part for part in (ON_DEMAND, stopped) if part)
    return stopped or "it runs like that already: nothing was changed"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
