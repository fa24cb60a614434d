"""`tako deploy`: build this project and roll it out on its servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import click
from anyio.abc import TaskGroup

from tako_modules.base import ids
from tako_modules.base.clock import SystemClock
from tako_modules.base.errors import Cancelled, ConfigError, UsageError
from tako_modules.base.text import size_text
from tako_modules.build import artifact
from tako_modules.cli import mapping, receipt, session, steps
from tako_modules.cli.console import Console, console
from tako_modules.cli.numbers import Number
from tako_modules.cli.offer import Offer
from tako_modules.cli.options import chosen, shared
from tako_modules.cli.session import PRODUCTION, Session
from tako_modules.deploy.main import Deploy, verdict
from tako_modules.deploy.story import Job
from tako_modules.deploy.target import Target
from tako_modules.model.note import BadNote, check_note
from tako_modules.model.server import Server
from tako_modules.workspace.project import Workspace, map_server, with_server

EXAMPLE = "tako deploy --env production --yes"


def _one_line(context: click.Context, parameter: click.Parameter, note: str) -> str:
    try:
        check_note(note)
    except BadNote as error:
        raise UsageError(f"the note {error}", hint='write one short line, e.g. --note "new prices"') from error
    return note


@click.command("deploy", epilog=f"Example: {EXAMPLE}")
@click.option("--plan", is_flag=True, help="Print what would be done, and change nothing.")
@click.option("--server", "servers", multiple=True, metavar="NAME", help="Only this server; may be repeated.")
@click.option("--note", default="", metavar="TEXT", callback=_one_line, help="Kept with the deployment on the server.")
@click.option("--wait", type=Number(0, 86400), default=0.0, metavar="SECONDS", help="Queue for the lease.")
@shared
def command(plan: bool, servers: tuple[str, ...], note: str, wait: float) -> None:
    """Build this project and roll it out on its servers, without losing a request."""
    options = chosen()
    screen = console(options)
    opened = Session(options, screen)
    workspace = opened.workspace()
    for warning in workspace.project.warnings:
        screen.warn(warning)
    targets = opened.targets(workspace, servers, artifact.refused(workspace.project, workspace.folder))
    server = None if targets else mapping.choose(opened, workspace, confirms=not plan)
    if server is not None:
        targets = opened.targets(with_server(workspace, server.name, opened.env))
    if plan:
        _print_plan(screen, workspace, opened.env, targets, server)
        return
    if opened.env == PRODUCTION and session.interactive():
        names = ", ".join(target.name for target in targets)
        session.confirm(options, f"Deploy {workspace.project.name} to production on {names}?")
    if server is not None:
        workspace = map_server(workspace, server.name, opened.env)
    session.run(lambda: _deploy(opened, workspace, targets, note, wait))


def _print_plan(screen: Console, workspace: Workspace, env: str, targets: list[Target], mapped: Server | None) -> None:
    project = workspace.project
    found = steps.plan(project, env, targets, *artifact.foresee(project, workspace.folder))
    if mapped is not None:
        found.insert(0, f"write [servers.{mapped.name}] into {workspace.file.name}")
    for line in found:
        screen.line(line)
    screen.emit({"schema": "tako.plan/1", "app": project.name, "env": env, "steps": found})


async def _build(opened: Session, workspace: Workspace) -> artifact.Artifact | None:
    """Build and pack, what the build prints being lines under the step; None when Ctrl-C stopped it."""
    screen, options, built = opened.console, opened.options, None
    lines = steps.Shown(screen, several=False)
    async with _stopped_by_signal(None):
        with screen.step(f"building {workspace.project.name}"):
            built = await artifact.make(
                workspace.project,
                workspace.folder,
                lambda line: lines.line("", line),
                config=workspace.file.name,
                repeats=options.quiet or options.json,
            )
    return built


async def _deploy(opened: Session, workspace: Workspace, targets: list[Target], note: str, wait: float) -> None:
    project, screen, clock = workspace.project, opened.console, SystemClock()
    environment = project.environment(opened.env)
    if environment is None:
        raise ConfigError(f"the environment {opened.env} is not declared")
    started = clock.monotonic()
    built = await _build(opened, workspace)
    if built is None:
        raise Cancelled("cancelled while building: nothing was changed", hint=f"run `{EXAMPLE}` to deploy")
    build_seconds = clock.monotonic() - started
    for sentence in built.left_out:
        screen.warn(sentence)
    screen.say(f"version {built.version}, {built.files} files, {size_text(built.size)}")
    job = Job(
        app=ids.deployment_id(project.name, opened.env),
        artifact=built,
        env=project.variables(opened.env),
        recipe=built.recipe,
        routes=environment.routes,
        note=note,
        wait=wait,
    )
    shown = steps.Shown(screen, several=len(targets) > 1)
    running = Deploy(
        job,
        targets,
        release=project.release,
        reach=Offer(opened).reach,
        progress=shown,
        clock=clock,
    )
    async with _stopped_by_signal(running):
        done = await running.run()
        error = verdict(done)
        receipt.show(screen, receipt.Facts(job, opened.env, done, build_seconds), error)
        if error is not None:
            raise error


@asynccontextmanager
async def _stopped_by_signal(running: Deploy | None) -> AsyncIterator[None]:
    """First Ctrl-C: undo; second: leave the rest to the servers. Without a running deploy the body is cancelled."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_listen, running, tasks)
        yield
        tasks.cancel_scope.cancel()


async def _listen(running: Deploy | None, tasks: TaskGroup) -> None:
    import signal

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        asked = False
        async for _ in signals:
            if running is None:
                tasks.cancel_scope.cancel()
                return
            if asked:
                raise Cancelled(
                    "left: the servers finish or undo what they began", hint="run `tako status` to see how it ended"
                )
            asked = True
            tasks.start_soon(running.stop)
