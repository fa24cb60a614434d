"""The rules of single values: names, routes, variables, commands, globs; each reports what is wrong where it stands."""

import re
from pathlib import PurePosixPath

from tako_modules.base.text import NAME, sanitise_name
from tako_modules.model.route import ROUTES_LIMIT, BadRoute, Route

from .problems import KeyPath
from .schema import RESERVED_SERVER_NAMES, Env, Health
from .tables import FloatText, Sheet

__all__ = [
    "DEVELOPMENT",
    "VALUES_LIMIT",
    "check_argv",
    "check_globs",
    "check_health",
    "check_host",
    "check_main",
    "check_name",
    "check_server_name",
    "check_shell",
    "check_size",
    "is_reserved",
    "read_routes",
    "read_vars",
]

DEVELOPMENT = "development"
VALUES_LIMIT = 65_536  # bytes of all variables of one environment: with tako's own they reach an instance in one packet
_RESERVED = re.compile(r"ENV|PORT|TAKO_.*", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9._:%-]{0,252}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHOWN = 80  # characters of a route that is told
_DEVELOPMENT_ENDINGS = ("tako.local", "test", "localhost")


def check_name(name: str, path: KeyPath, sheet: Sheet) -> bool:
    """Check the name of an app, environment or server."""
    if NAME.fullmatch(name):
        return True
    better = sanitise_name(name)
    sheet.report(
        path,
        f"{name!r} is not a name: 1 to 63 of a-z, 0-9 and '-', a letter first, no '-' last",
        f'write "{better}"' if better else "",
    )
    return False


def check_server_name(name: str, path: KeyPath, sheet: Sheet) -> bool:
    """Check the name of a server: it has to be free in `[servers]` of tako.toml, whose own keys stand beside it."""
    if name not in RESERVED_SERVER_NAMES:
        return check_name(name, path, sheet)
    message = f"no server may be called {name}: [servers] of tako.toml has a key {name}"
    sheet.report(path, message, "choose another name")
    return False


def is_reserved(variable: str) -> bool:
    """Tell whether tako itself sets a variable of this name."""
    return _RESERVED.fullmatch(variable) is not None


def read_vars(table: dict[str, object], path: KeyPath, sheet: Sheet) -> dict[str, str]:
    """Make environment strings of one table of variables; numbers and booleans become text, reserved names go."""
    values: dict[str, str] = {}
    for name, value in table.items():
        at = (*path, name)
        text = _variable_text(value)
        if not _VARIABLE.fullmatch(name):
            sheet.report(at, "is not a name for a variable: letters, digits and '_', no digit first")
        elif text is None:
            sheet.report(at, "must be text, a number, true or false")
        elif "\0" in text:
            sheet.report(at, "has a NUL character, which no environment can hold")
        elif is_reserved(name):
            sheet.warn(at, "is set by tako itself; this value is ignored")
        else:
            values[name] = text
    return values


def check_size(values: dict[str, str], path: KeyPath, sheet: Sheet) -> None:
    """Check that the variables of one environment, common ones included, are not too much for a process."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in values.items())
    if size > VALUES_LIMIT:
        message = f"the variables take {size} bytes, more than {VALUES_LIMIT}"
        sheet.report(path, message, "ship large values as files of the app")


def _variable_text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, FloatText):
        return value.text
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) else None


def read_routes(app: str, env: str, table: Env, sheet: Sheet) -> tuple[str, ...]:
    """Read `route` or `routes` of an environment in normal form; wrong ones are reported and left out."""
    path: KeyPath = ("envs", env)
    if table.route is not None and table.routes is not None:
        sheet.report((*path, "route"), "an environment has either route or routes", "put this one into routes")
        return ()
    if table.route is not None:
        written: list[tuple[KeyPath, str]] = [((*path, "route"), table.route)]
    else:
        written = [((*path, "routes", number), text) for number, text in enumerate(table.routes or ())]
    if len(written) > ROUTES_LIMIT:
        message = f"has {len(written)} routes; a deploy takes 1 to {ROUTES_LIMIT}"
        sheet.report((*path, "routes"), message, 'put hosts together with a wildcard such as "*.example.com"')
    found: list[str] = []
    for at, text in written:
        route = _read_route(app, env, text, at, sheet)
        if route in found:
            sheet.report(at, f"{text!r} is listed twice", "take one out")
        elif route:
            found.append(route)
    return tuple(found)


def _read_route(app: str, env: str, text: str, at: KeyPath, sheet: Sheet) -> str:
    try:
        route = Route.parse(text)
    except BadRoute as error:
        example = 'write a route such as "shop.example.com" or "example.com/api/*"'
        sheet.report(at, f"{_shortened(text)} {error}", error.hint or example)
        return ""
    own = [f"{app}.{ending}" for ending in _DEVELOPMENT_ENDINGS]
    if env == DEVELOPMENT and not any(route.host == name or route.host.endswith(f".{name}") for name in own):
        sheet.report(
            at, f"{text!r} is not a development route of this app", f"use {', '.join(own)} or a name below one"
        )
        return ""
    return str(route)


def _shortened(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"


def check_health(health: Health, sheet: Sheet) -> None:
    """Check the path of the health probe."""
    if health.path and not re.fullmatch(r"/[!-~]*", health.path):
        sheet.report(("health", "path"), f"{health.path!r} is not a path", 'write a path such as "/status"')


def check_argv(argv: tuple[str, ...] | None, path: KeyPath, sheet: Sheet) -> None:
    """Check the words of a command."""
    for number, word in enumerate(argv or ()):
        if "\0" in word:
            sheet.report((*path, number), "has a NUL character, which no command can hold")


def check_globs(globs: tuple[str, ...], path: KeyPath, sheet: Sheet) -> None:
    """Check that patterns of files stay inside the project."""
    for number, glob in enumerate(globs):
        if glob.startswith("/") or ".." in glob.split("/") or "\0" in glob:
            sheet.report((*path, number), f"{glob!r} leaves the project", "write a glob relative to the project")


def check_main(main: str, sheet: Sheet) -> None:
    """Check that the entry is inside the project."""
    if main.startswith("/") or ".." in PurePosixPath(main).parts or "\0" in main:
        sheet.report(("main",), f"{main!r} leaves the project", "write a path relative to the project")


def check_shell(command: str, path: KeyPath, sheet: Sheet) -> None:
    """Check a shell command."""
    if "\0" in command:
        sheet.report(path, "has a NUL character, which no command can hold")


def check_host(host: str, path: KeyPath, sheet: Sheet) -> None:
    """Check the name or address of a machine; what begins with `-` would be read as an option of ssh."""
    if not _HOST.fullmatch(host):
        sheet.report(path, f"{host!r} is not a host", 'write a name or an address, such as "203.0.113.7"')
