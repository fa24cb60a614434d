"""What a deploy needs beyond a well-formed file, looking only at what its environment uses."""

from collections.abc import Sequence

import msgspec

from tako_modules.model.project import Placement, Project
from tako_modules.model.server import LOCAL, Server

from .lines import LineIndex
from .problems import Problem, nearest
from .rules import DEVELOPMENT

__all__ = ["Target", "check_for_deploy", "located", "targets"]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One server that runs an environment: how to reach it, and how the app runs there."""

    server: Server
    placement: Placement


def check_for_deploy(
    project: Project, env: str, inventory: Sequence[Server], only: Sequence[str] = ()
) -> list[Problem]:
    """Tell everything that keeps `env` from being deployed.

    inventory: the user's servers; only: the servers that were asked for, all mapped ones when empty. An environment
    without any server is no problem here: the deploy offers one.
    """
    if env == DEVELOPMENT:
        return [
            Problem(
                path=f"envs.{env}",
                message="development is not deployed",
                hint="name another one, such as `tako deploy --env production`",
            )
        ]
    chosen = project.environment(env)
    if chosen is None:
        names = [known.name for known in project.environments if known.name != DEVELOPMENT]
        hint = nearest(env, names) if names else ""
        lines = f'add these lines:\n[envs.{env}]\nroute = "{project.name}.example.com"'
        return [Problem(path=f"envs.{env}", message="is not declared", hint=f"{hint}\n{lines}".strip())]
    problems = []
    if not chosen.routes:
        hint = f'add this line under [envs.{env}]:\nroute = "{project.name}.example.com"'
        problems.append(Problem(path=f"envs.{env}", message="has no routes, so no request would reach it", hint=hint))
    return problems + _server_problems(project, env, inventory, only)


def located(problems: Sequence[Problem], text: str) -> list[Problem]:
    """Give problems the lines on which a text has their keys; what is not written has none."""
    lines = LineIndex(text).by_text() if problems else {}
    return [msgspec.structs.replace(problem, line=lines.get(problem.path, 0)) for problem in problems]


def _server_problems(project: Project, env: str, inventory: Sequence[Server], only: Sequence[str]) -> list[Problem]:
    mapped = [placement for placement in project.placements if env in placement.envs]
    names = [placement.server for placement in mapped]
    problems = []
    for server in dict.fromkeys(only):
        if server not in names:
            hint = nearest(server, names) if names else f'add [servers.{server}] with env = "{env}"'
            problems.append(Problem(path=f"servers.{server}", message=f"does not run {env}", hint=hint))
    known = [server.name for server in inventory]
    for placement in mapped:
        if (not only or placement.server in only) and _find(placement, inventory) is None:
            hint = nearest(placement.server, known) if known else ""
            add = f"run `tako servers add <host> --name {placement.server}`"
            problems.append(
                Problem(
                    path=f"servers.{placement.server}",
                    message="is not in your inventory",
                    hint=f"{add}; {hint}" if hint else add,
                )
            )
    return problems


def targets(project: Project, env: str, inventory: Sequence[Server], only: Sequence[str] = ()) -> tuple[Target, ...]:
    """Tell where an environment runs; servers that are nowhere known are left out, `check_for_deploy` names them."""
    found = []
    for placement in project.placements:
        if env in placement.envs and (not only or placement.server in only):
            server = _find(placement, inventory)
            if server is not None:
                found.append(Target(server=server, placement=placement))
    return tuple(found)


def _find(placement: Placement, inventory: Sequence[Server]) -> Server | None:
    for server in inventory:
        if server.name == placement.server:
            return server
    if placement.server == LOCAL:
        return Server(name=LOCAL, host="127.0.0.1")
    return Server(name=placement.server, host=placement.host, port=placement.port) if placement.host else None
