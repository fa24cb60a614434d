"""Read tako.toml: its text becomes a Project, or every problem of it at once."""

from tako_modules.base.text import NAME, sanitise_name
from tako_modules.model.project import Environment, Placement, Project, Service
from tako_modules.model.release import HealthCheck

from . import rules
from .problems import KeyPath, nearest
from .schema import LATER_RUNTIMES, RESERVED_SERVER_NAMES, RUNTIMES, Env, Range, ServerDefaults, ServerTable, Tako
from .tables import Sheet, parse_toml, read_table

__all__ = ["read_project"]

_ALWAYS_KNOWN = (rules.DEVELOPMENT, "production")  # environments that may have variables before they have routes


def read_project(text: str, file: str, *, folder_name: str, detected_name: str = "", env: str = "") -> Project:
    """Read the text of tako.toml; `file` is what problems call it.

    folder_name, detected_name: what the app is called without `name`; env: leave out what is wrong with routes,
    variables and servers of other environments, for a command that uses only this one.
    Raises BadConfig with all problems.
    """
    text = text.removeprefix("\ufeff")
    top = parse_toml(text, file)
    sheet = Sheet(file, text)
    tako = read_table(Tako, top, (), sheet) or Tako()
    name = _name(tako, folder_name, detected_name, sheet)
    _check_top(tako, sheet)
    health = HealthCheck(path=tako.health.path, timeout=float(tako.health.timeout))
    common = rules.read_vars({key: value for key, value in tako.vars.items() if not _is_table(value)}, ("vars",), sheet)
    rules.check_size(common, ("vars",), sheet)
    environments = _environments(tako, name, sheet)
    for one in environments:
        if one.vars:
            rules.check_size({**common, **one.vars}, ("vars", one.name), sheet)
    placements = _placements(tako, sheet)
    if env:
        _forget_others(env, environments, placements, sheet)
    sheet.finish()
    return Project(
        name=name,
        runtime=tako.runtime,
        main=tako.main,
        build=tako.build,
        release=tako.release,
        include=tako.include,
        exclude=tako.exclude,
        vars=common,
        services=(Service(start=tako.start or (), dev=tako.dev or (), health=health),),
        environments=environments,
        placements=placements,
        warnings=sheet.warnings,
    )


def _forget_others(
    env: str, environments: tuple[Environment, ...], placements: tuple[Placement, ...], sheet: Sheet
) -> None:
    """Drop what was found in the tables of environments and servers that a command does not use."""
    for other in environments:
        if other.name != env:
            sheet.forget(("envs", other.name))
            sheet.forget(("vars", other.name))
    for placement in placements:
        if env not in placement.envs:
            sheet.forget(("servers", placement.server))


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _name(tako: Tako, folder_name: str, detected_name: str, sheet: Sheet) -> str:
    if tako.name is not None:
        rules.check_name(tako.name, ("name",), sheet)
        return tako.name
    for source in (detected_name, folder_name):
        if NAME.fullmatch(name := sanitise_name(source)):
            return name
    sheet.report(("name",), f"is required: no name can be made of {folder_name!r}", 'add name = "shop" at the top')
    return ""


def _check_top(tako: Tako, sheet: Sheet) -> None:
    if tako.runtime in LATER_RUNTIMES:
        version = LATER_RUNTIMES[tako.runtime]
        hint = 'until then use runtime = "command" with build and start of your own'
        sheet.report(("runtime",), f"{tako.runtime} comes with version {version} of tako", hint)
    elif tako.runtime and tako.runtime not in RUNTIMES:
        hint = nearest(tako.runtime, (*RUNTIMES, *LATER_RUNTIMES))
        sheet.report(("runtime",), f"{tako.runtime!r} is not a runtime", hint)
    rules.check_main(tako.main, sheet)
    rules.check_health(tako.health, sheet)
    rules.check_argv(tako.start, ("start",), sheet)
    rules.check_argv(tako.dev, ("dev",), sheet)
    rules.check_shell(tako.build or "", ("build",), sheet)
    rules.check_shell(tako.release, ("release",), sheet)
    rules.check_globs(tako.include, ("include",), sheet)
    rules.check_globs(tako.exclude, ("exclude",), sheet)
    for service in tako.services or {}:
        rules.check_name(service, ("services", service), sheet)
        if service == "web":
            sheet.report(("services", "web"), "the top level of the file describes web", "move its keys there")


def _environments(tako: Tako, app: str, sheet: Sheet) -> tuple[Environment, ...]:
    found = []
    for env, table in _declared(tako).items():
        if env in tako.envs:
            rules.check_name(env, ("envs", env), sheet)
        routes = rules.read_routes(app, env, table, sheet)
        if (
            env in tako.envs
            and env != rules.DEVELOPMENT
            and not any(sheet.written(("envs", env, key)) for key in ("route", "routes"))
        ):
            sheet.report(("envs", env), "has no routes", f'add route = "{app}.example.com" under [envs.{env}]')
        own = tako.vars.get(env)
        values = rules.read_vars(own, ("vars", env), sheet) if isinstance(own, dict) else {}
        found.append(Environment(name=env, routes=routes, vars=values))
    for key, value in tako.vars.items():
        if _is_table(value) and key not in {env.name for env in found}:
            hint = nearest(key, [env.name for env in found])
            sheet.report(("vars", key), f"there is no environment {key!r}", hint or f"declare [envs.{key}]")
    return tuple(found)


def _declared(tako: Tako) -> dict[str, Env]:
    implied = {env: Env() for env in _ALWAYS_KNOWN if _is_table(tako.vars.get(env))}
    return {**implied, **tako.envs}


def _placements(tako: Tako, sheet: Sheet) -> tuple[Placement, ...]:
    plain = {key: value for key, value in tako.servers.items() if not _is_table(value) or key == "instances"}
    defaults = read_table(ServerDefaults, plain, ("servers",), sheet) or ServerDefaults()
    _refuse_range(defaults.instances, ("servers", "instances"), sheet)
    found = []
    for server, value in tako.servers.items():
        if server in plain:
            continue
        at: KeyPath = ("servers", server)
        if server in RESERVED_SERVER_NAMES:
            sheet.report(at, f"no server may be called {server}", "rename the server: tako servers add --name")
            continue
        rules.check_name(server, at, sheet)
        table = read_table(ServerTable, value, at, sheet)
        if table is not None:
            found.append(_placement(server, table, defaults, sheet))
            _check_envs(found[-1], tako, sheet)
    return tuple(found)


def _placement(server: str, table: ServerTable, defaults: ServerDefaults, sheet: Sheet) -> Placement:
    at: KeyPath = ("servers", server)
    if table.host is not None:
        rules.check_host(table.host, (*at, "host"), sheet)
    instances = defaults.instances if table.instances is None else table.instances
    _refuse_range(table.instances, (*at, "instances"), sheet)
    return Placement(
        server=server,
        envs=(table.env,) if isinstance(table.env, str) else tuple(dict.fromkeys(table.env)),
        instances=instances if isinstance(instances, int) else instances.max,
        idle_timeout=defaults.idle_timeout if table.idle_timeout is None else table.idle_timeout,
        host=table.host or "",
        port=table.port,
    )


def _refuse_range(instances: int | Range | None, path: KeyPath, sheet: Sheet) -> None:
    if isinstance(instances, Range):
        sheet.report(path, "{min, max} comes with version 0.3 of tako", "write a number until then")


def _check_envs(placement: Placement, tako: Tako, sheet: Sheet) -> None:
    for env in placement.envs:
        if env not in tako.envs:
            path: KeyPath = ("servers", placement.server, "env")
            hint = nearest(env, tako.envs) or f'declare it: [envs.{env}] with route = "…"'
            sheet.report(path, f"{env!r} is not a declared environment", hint)
