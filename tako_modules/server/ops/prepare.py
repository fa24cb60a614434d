"""prepare: make an uploaded release ready to run: logs link, `.env`, dependencies, ownership."""

from functools import partial

import anyio
import msgspec

from tako_modules.base import files
from tako_modules.base.errors import Cancelled, Refused
from tako_modules.config import rules
from tako_modules.config.schema import Argv, Health
from tako_modules.config.tables import Sheet, read_table
from tako_modules.mgmt.refusal import Refusal
from tako_modules.mgmt.server import Call
from tako_modules.model.release import Recipe, Release
from tako_modules.protocol.messages import Prepare
from tako_modules.protocol.replies import FailureData, LineEvent, PrepareData

from ..control import Control, check_id
from ..host import Identity
from ..ledger import release_of
from ..registry import Entry

__all__ = ["INSTALL_SECONDS", "answer", "check_request", "is_ready"]

INSTALL_SECONDS = 900.0  # one install command: a cold cache on a slow line, but not for ever
LAST_LINES = 20


class _Commands(msgspec.Struct, frozen=True, kw_only=True):
    start: Argv
    install: tuple[Argv, ...]
    health: Health


async def answer(request: Prepare, call: Call, control: Control) -> PrepareData:
    """Prepare the release; one that cannot be prepared is removed again. Raises TakoError."""
    check_id(request.app)
    check_request(request)
    control.leases.check(request.app, request.fence)
    path = control.host.paths.app(request.app).release(request.version)
    if not path.is_dir():
        raise Refused(f"{request.version} was not uploaded", code="not_found", hint="run `tako deploy` again")
    entry = control.entry(request.app)
    async with entry.work:
        return await _answer(request, call, control, entry)


async def _answer(request: Prepare, call: Call, control: Control, entry: Entry) -> PrepareData:
    control.leases.check(request.app, request.fence)  # it may have run out while another one's work was ended
    path = control.host.paths.app(request.app).release(request.version)
    release = release_of(entry, request.version)
    wanted = msgspec.structs.replace(release, env=request.env, recipe=request.recipe)
    if is_ready(entry, request):
        control.ledger.save_release(entry, wanted)
        return PrepareData(path=str(path), known=True)
    who = await control.host.ensure_user(request.app, entry.deployment.uid)
    try:
        await _prepare(wanted, who, call, control, request.fence)
    except BaseException:
        if control.leases.holds(request.app, request.fence):  # else the release is the next one's to use or to remove
            with anyio.CancelScope(shield=True):
                await control.tidy(request.app, give_up=request.version)
        raise
    control.leases.check(request.app, request.fence)
    control.ledger.save_release(entry, msgspec.structs.replace(wanted, prepared=True))
    return PrepareData(path=str(path))


def check_request(request: Prepare) -> None:
    """Hold what a request says to the rules of tako.toml, whoever sent it. Raises Refused."""
    recipe, sheet = request.recipe, Sheet("", "")
    health = recipe.health
    timeout = int(health.timeout) if health.timeout.is_integer() else health.timeout
    table = {"start": recipe.start, "install": recipe.install, "health": {"path": health.path, "timeout": timeout}}
    commands = read_table(_Commands, table, (), sheet)
    if commands is not None:
        rules.check_health(commands.health, sheet)
    for number, argv in enumerate((recipe.start, *recipe.install)):
        rules.check_argv(argv, ("install", number - 1) if number else ("start",), sheet)
    rules.check_globs(recipe.path, ("path",), sheet)
    for values in (request.env, recipe.env):
        rules.read_vars({**values}, ("vars",), sheet)
        rules.check_size(values, ("vars",), sheet)
    for problem in sheet.problems:
        hint = problem.hint or "correct it in tako.toml and run `tako deploy` again"
        raise Refused(f"{problem.path}: {problem.message}", code="invalid", hint=hint)


def is_ready(entry: Entry, request: Prepare) -> bool:
    """Tell whether a release is prepared in the very way that is asked for, or needs other variables at the most.

    Raises Refused for one in use that would become another one: what replaces its instances must be as it was, also
    when the deploy that wants the change fails.
    """
    release = release_of(entry, request.version)
    ready = release.prepared and _installs(release.recipe) == _installs(request.recipe)
    if ready and (release.env, release.recipe) == (request.env, request.recipe):
        return True
    if request.version in entry.used_versions:
        difference = "with other settings" if ready else "and its dependencies would be installed in another way"
        raise Refused(
            f"{request.version} is in use on this server, {difference}",
            code="conflict",
            hint="commit or change something, so that the build gets another name, and run `tako deploy` again",
        )
    return ready


def _installs(recipe: Recipe | None) -> object:
    """Give what decides about the files of a prepared release."""
    return None if recipe is None else (recipe.tools, recipe.install)


async def _prepare(release: Release, who: Identity, call: Call, control: Control, fence: int) -> None:
    path = control.host.paths.app(release.app).release(release.version)
    in_thread = anyio.to_thread.run_sync
    recipe = release.recipe
    if recipe is not None and recipe.install:
        with files.disk_errors("open the release for its install"):
            await in_thread(control.host.open_release, path, who)
        for argv in recipe.install:
            await _install(release, argv, call, control, fence)
    with files.disk_errors("finish the release"):
        await in_thread(control.host.seal_release, path, who)
        control.host.link_logs(path)
        control.host.write_env(path, release.version, who)


async def _install(release: Release, argv: tuple[str, ...], call: Call, control: Control, fence: int) -> None:
    lines: list[str] = []

    async def tell(text: str) -> None:
        lines.append(text)
        del lines[:-LAST_LINES]
        await call.event(LineEvent(text=text))

    task = control.crew.install_task(release, argv)
    ends = (call.gone.wait, partial(control.leases.lost, release.app, fence))
    try:
        code = await control.crew.chores.run(task, tell, seconds=INSTALL_SECONDS, ends=ends)
    except Cancelled:
        control.leases.check(release.app, fence)  # says so where that is why
        raise
    if code == 0:
        return
    failure = FailureData(
        rule="the dependencies could not be installed", detail=" ".join(argv), exit_code=code, log=tuple(lines)
    )
    raise Refusal(
        f"the dependencies of {release.version} could not be installed (exit code {code}); everything is as before",
        code="install_failed",
        hint="read the lines above, correct the lock file and run `tako deploy` again",
        failure=failure,
    )
