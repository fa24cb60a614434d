"""The end of a deploy in words: what happened on which server, what it cost, and what to type next."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from tako_modules.base.errors import TakoError
from tako_modules.base.text import duration_text
from tako_modules.deploy.story import Done, Job
from tako_modules.protocol.replies import FailureData

from .console import Console
from .steps import sent_text

__all__ = ["Facts", "failure_lines", "show", "tell_hint", "url"]

HTTPS = 443
LOG_LINES = 20
BODY = 200
COLUMNS = 80  # the narrowest terminal that people have
MIN_ROOM = 20  # for words beside names that are too long


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a receipt tells."""

    job: Job
    env: str
    done: Sequence[Done]
    build_seconds: float


def url(route: str, port: int) -> str:
    """Make the address to open: a route's host and path, and the port where it is not 443."""
    host, slash, path = route.partition("/")
    path = path.removesuffix("*").removesuffix("/") if slash else ""
    host = "www" + host.removeprefix("*") if host.startswith("*.") else host
    return f"https://{host}{'' if port == HTTPS else f':{port}'}/{path}"


def tell_hint(screen: Console, error: TakoError) -> None:
    """Say what to do about an error of one server, as the last words of a verb do."""
    for line in error.hint.splitlines():
        screen.error(f"  → {line}")


def failure_lines(failure: FailureData) -> list[str]:
    """Word why an instance or a command failed: rule, what was seen, last lines."""
    lines = [f"  rule:   {failure.rule}"]
    if failure.url:
        lines.append(
            f"  probe:  GET {failure.url}" if not failure.url.startswith("tcp") else f"  probe:  {failure.url}"
        )
    if failure.status:
        lines.append(f"  status: {failure.status}")
    if failure.exit_code is not None:
        lines.append(f"  exit:   {failure.exit_code}")
    if failure.detail:
        lines.append(f"  seen:   {failure.detail}")
    if failure.body:
        lines.append(f"  body:   {failure.body[:BODY]!r}")
    if failure.log:
        lines.append("  last lines:")
        lines += [f"    {line}" for line in failure.log[-LOG_LINES:]]
    return lines


def show(screen: Console, facts: Facts, error: TakoError | None) -> None:
    """Print the receipt, in 80 columns, or the one document, which comes behind all that is said."""
    for one in facts.done:
        if one.error is not None:
            _show_failure(screen, one, alone=len(facts.done) == 1)
        elif one.deployed is not None:
            _show_success(screen, facts, one)
    if len(facts.done) > 1:
        screen.line()
        screen.table(("server", "result"), _outcomes(facts.done))
    _show_ways(screen, facts)
    screen.emit(_document(facts, error))


def _show_ways(screen: Console, facts: Facts) -> None:
    """Print where the new version answers, if it does on any server, and how to go back."""
    serving = [one for one in facts.done if one.deployed is not None]
    if not serving:
        return
    screen.line()
    for route in facts.job.routes:
        screen.line(f"  {url(route, serving[0].https_port)}")
    earlier = sorted({one.deployed.previous for one in serving if one.deployed is not None} - {""})
    if not earlier:
        return
    # Without a version each server returns to what it had before: those that were not updated would go too far.
    wanted, look = ("", "") if len(serving) == len(facts.done) else (f" {earlier[0]}", "")
    if wanted and len(earlier) > 1:
        wanted, look = " VERSION", ", see `tako releases`"
    env = "" if facts.env == "production" else f" --env {facts.env}"
    screen.line(f"  go back:  tako rollback{wanted}{env}{look}")


def _outcomes(done: Sequence[Done]) -> list[tuple[str, str]]:
    """Make the rows of the table; what does not fit beside the longest name goes on in the next row."""
    room = max(MIN_ROOM, COLUMNS - max(len("server"), *(len(one.server) for one in done)) - len("  "))
    rows = []
    for one in done:
        words = "deployed" if one.error is None else one.error.message
        first, *more = textwrap.wrap(words, room, break_on_hyphens=False) or [""]
        rows += [(one.server, first), *(("", line) for line in more)]
    return rows


def _show_failure(screen: Console, one: Done, *, alone: bool) -> None:
    error = one.error
    if error is None:
        return
    if not alone:
        named = error.message.startswith(f"{one.server} ")
        screen.error(error.message if named else f"{one.server}: {error.message}")
        tell_hint(screen, error)
    failure = getattr(error, "failure", None)
    if isinstance(failure, FailureData):
        for line in failure_lines(failure):
            screen.error(line)


def _show_success(screen: Console, facts: Facts, one: Done) -> None:
    deployed = one.deployed
    if deployed is None:
        return
    receipt = deployed.receipt
    counts = receipt.requests
    screen.line(f"{facts.job.app} {deployed.version} is live on {one.server}")
    for made in receipt.instances:
        times = f"healthy after {duration_text(made.healthy_after)}, traffic after {duration_text(made.admitted_after)}"
        screen.line(f"  instance {made.id}  port {made.port}  {times}")
    phases = {"build": facts.build_seconds, **one.phases}
    _show_list(screen, [f"{name} {duration_text(seconds)}" for name, seconds in phases.items()], " · ")
    screen.line(f"  {sent_text(one.sent, one.saved)}")
    seen = [f"{counts.started} started", f"{counts.finished} finished", f"{counts.failed} failed"]
    if counts.started:
        seen.append(f"longest wait {counts.longest_wait} ms")
    _show_list(screen, [f"requests meanwhile: {seen[0]}", *seen[1:]], ", ")
    for warning in deployed.warnings:
        screen.warn(warning)


def _show_list(screen: Console, parts: Sequence[str], joint: str) -> None:
    """Print parts on one line, or on more where they do not fit."""
    line = f"  {parts[0]}"
    for part in parts[1:]:
        if len(line) + len(joint) + len(part) > COLUMNS:
            screen.line(f"{line}{joint}".rstrip())
            line = f"    {part}"
        else:
            line += f"{joint}{part}"
    screen.line(line)


def _document(facts: Facts, error: TakoError | None) -> dict[str, object]:
    return {
        "schema": "tako.deploy/1",
        "app": facts.job.app,
        "env": facts.env,
        "version": facts.job.artifact.version,
        "outcome": "success" if error is None else error.code,
        "routes": list(facts.job.routes),
        "servers": [_server_document(one) for one in facts.done],
    }


def _server_document(one: Done) -> dict[str, object]:
    document: dict[str, object] = {
        "server": one.server,
        "phases": {name: round(seconds, 3) for name, seconds in one.phases.items()},
        "bytes_sent": one.sent,
        "bytes_saved": one.saved,
    }
    if one.deployed is not None:
        document["deployed"] = msgspec.to_builtins(one.deployed)
    if one.error is not None:
        failure = getattr(one.error, "failure", None)
        document["error"] = {
            "code": one.error.code,
            "message": one.error.message,
            "hint": one.error.hint,
            "failure": msgspec.to_builtins(failure) if isinstance(failure, FailureData) else None,
        }
    return document
