"""What rollback, scale, restart, start and stop have in common: one message to every server, under its lease."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from tako_modules.base.errors import PartlyDone, TakoError
from tako_modules.deploy.target import Connection, Target
from tako_modules.mgmt.client import Event
from tako_modules.protocol.messages import Request
from tako_modules.protocol.replies import DeployedData, FailureData

from . import receipt, session
from .console import Console
from .session import Session, document
from .steps import Shown

__all__ = ["change_all", "report", "send_all"]

T = TypeVar("T", bound=msgspec.Struct)
Make = Callable[[str, int], Request]


def change_all(opened: Session, verb: str, make: Make) -> None:
    """Send a message that replaces instances to every server of the project, and print what it did."""
    app, targets = opened.deployed()
    results = send_all(opened, app, targets, make, DeployedData)
    report(opened.console, verb, app, results, _tell_change)


def send_all(opened: Session, app: str, targets: list[Target], make: Make, kind: type[T]) -> dict[str, T | TakoError]:
    """Send a message to every server under the lease of a deployment; `make` gets its id and the fence."""
    shown = Shown(opened.console, several=len(targets) > 1)

    async def act(target: Target, connection: Connection, fence: int) -> T:
        def heard(event: Event) -> None:
            if event.event == "step":
                shown.step(target.name, event.text)
            else:
                shown.line(target.name, event.text)

        try:
            done = await connection.client.call(make(app, fence), kind, heard)
        except TakoError:
            shown.end(target.name, ok=False)
            raise
        shown.end(target.name)
        return done

    return session.run(lambda: opened.locked(app, targets, act))


def report(
    screen: Console, verb: str, app: str, results: dict[str, T | TakoError], tell: Callable[[Console, str, T], None]
) -> None:
    """Print what every server answered; raises the error that the verb ends with."""
    screen.emit(
        {
            "schema": f"tako.{verb}/1",
            "app": app,
            "servers": [document(name, result) for name, result in results.items()],
        }
    )
    errors = {}
    for name, result in results.items():
        if isinstance(result, TakoError):
            errors[name] = result
            _tell_error(screen, name, result, alone=len(results) == 1)
        else:
            tell(screen, name, result)
    if errors:
        raise verdict(errors, len(results))


def verdict(errors: dict[str, TakoError], count: int) -> TakoError:
    """Choose the error, and so the exit code, of a verb over several servers."""
    if len(errors) < count:
        return PartlyDone(
            f"done on {count - len(errors)} of {count} servers; not on {', '.join(errors)}",
            hint="correct what is said above and run the command again",
        )
    return next(iter(errors.values()))


def _tell_error(screen: Console, server: str, error: TakoError, *, alone: bool) -> None:
    if not alone:
        screen.say(f"{server}: {error.message}")
    failure = getattr(error, "failure", None)
    if isinstance(failure, FailureData):
        for line in receipt.failure_lines(failure):
            screen.say(line)


def _tell_change(screen: Console, server: str, done: DeployedData) -> None:
    counts = done.receipt.requests
    screen.line(f"{done.app} {done.version} serves on {server}")
    noun = "instance" if done.new_instances == 1 else "instances"
    screen.line(f"  {done.new_instances} new {noun}, {done.old_instances} replaced")
    screen.line(f"  requests meanwhile: {counts.started} started, {counts.finished} finished, {counts.failed} failed")
    for warning in done.warnings:
        screen.warn(warning)
