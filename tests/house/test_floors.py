"""Imports point down, also inside functions; floors 2 and 3 are pure; the parent process and the boot stand alone."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator

import pytest

from .sources import PACKAGE, Source, code, package

ROOMS_BY_FLOOR = {
    1: {"base"},
    2: {"model", "http"},
    3: {"config", "plan", "protocol"},
    4: {"net"},
    5: {"certs", "mgmt", "workspace", "telemetry", "runtimes", "vault", "ssh", "store"},
    6: {"build", "proxy", "supervisor", "jobs", "api"},
    7: {"deploy", "dev", "server", "agent", "tui"},
    8: {"cli"},
}
FLOOR = {room: floor for floor, rooms in ROOMS_BY_FLOOR.items() for room in rooms}
ALONE = {  # folder → the only names its files may import that are not the standard library's
    "tako_modules/server/init": {"tako_modules.server.init"},
    "tako_modules/boot": {"tako_modules.boot"},
}
PURE_FLOORS = (2, 3)
IMPURE_MODULES = {
    "anyio", "asyncio", "asyncssh", "os", "random", "secrets", "socket", "sqlite3", "ssl", "subprocess", "time",
    "uuid", "threading", "multiprocessing", "tempfile", "shutil", "logging", "urllib", "http.client", "importlib",
    "signal", "select", "selectors", "fcntl",
}  # fmt: skip
IMPURE_CALLS = {"open", "print", "input", "__import__", "exec", "eval", "breakpoint"}
IMPURE_METHODS = {"now", "today", "utcnow"}  # of datetime and date
DATES = {"datetime", "date"}
PURE_PATHS = {"PurePath", "PurePosixPath", "PureWindowsPath"}


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Give every imported dotted name with its line, relative ones resolved, wherever in the file it stands."""
    package_parts = source.module.split(".")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = node.level - (1 if source.is_package else 0)
            base = package_parts[: len(package_parts) - up] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{stem}.{alias.name}" if stem else alias.name) for alias in node.names)


def room_of(module: str) -> str | None:
    """Name the room of a dotted name; None when it is not ours, or a constant of the root package (VERSION)."""
    parts = module.split(".")
    return parts[1] if parts[0] == "tako_modules" and len(parts) > 1 and not parts[1].isupper() else None


def pure_sources() -> list[Source]:
    """Give the files of floors 2 and 3."""
    return [source for source in package() if FLOOR.get(room_of(source.module) or "") in PURE_FLOORS]


def stands_in(source: Source, folder: str) -> bool:
    """Tell whether a file stands below a folder of the checkout."""
    return source.name.startswith(f"{folder}/")


def test_every_folder_is_a_room_of_the_plan() -> None:
    """A new room needs a floor before it gets files."""
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert folders - FLOOR.keys() - {"boot"} == set()


def test_imports_point_down() -> None:
    """No room imports its floor's other rooms or a higher floor; files beside the rooms import none of them."""
    wrong: list[str] = []
    for source in package():
        here = room_of(source.module)
        for line, name in imports(source):
            there = room_of(name)
            if there is None or there == here or any(stands_in(source, folder) for folder in ALONE):
                continue
            if there not in FLOOR or here is None or FLOOR.get(here, 0) <= FLOOR[there]:
                wrong.append(f"{source.name}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_nothing_imports_the_tests() -> None:
    """What ships does not lean on tests."""
    wrong = [
        f"{s.name}:{line} imports {name}" for s in code() for line, name in imports(s) if name.split(".")[0] == "tests"
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ALONE)
def test_stands_alone(folder: str) -> None:
    """These run before, or without, everything else: the standard library and their own files, no more."""
    siblings = {path.stem for path in (PACKAGE.parent / folder).glob("*.py")}
    wrong = [
        f"{source.name}:{line} imports {name}"
        for source in package()
        if stands_in(source, folder)
        for line, name in imports(source)
        if name.split(".")[0] not in sys.stdlib_module_names | siblings
        and not any(name.startswith(own) for own in ALONE[folder])
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ["tako_modules/boot"])
def test_nobody_enters(folder: str) -> None:
    """The boot is started by the interpreter, never imported by a room."""
    name = folder.replace("/", ".")
    wrong = [
        f"{source.name}:{line} imports {imported}"
        for source in package()
        if not stands_in(source, folder)
        for line, imported in imports(source)
        if imported == name or imported.startswith(f"{name}.")
    ]
    assert not wrong, "\n".join(wrong)


def test_pure_floors_import_nothing_impure() -> None:
    """Floors 2 and 3 know no I/O, clock or chance."""
    wrong = [
        f"{source.name}:{line} imports {name}"
        for source in pure_sources()
        for line, name in imports(source)
        if any(name == bad or name.startswith(f"{bad}.") for bad in IMPURE_MODULES)
    ]
    assert not wrong, "\n".join(wrong)


def test_pure_floors_take_only_pure_paths() -> None:
    """From pathlib only the classes that cannot touch a disk."""
    wrong = [
        f"{source.name}:{line} imports {name}"
        for source in pure_sources()
        for line, name in imports(source)
        if name.split(".")[0] == "pathlib" and name.removeprefix("pathlib.") not in PURE_PATHS
    ]
    assert not wrong, "\n".join(wrong)


def test_pure_floors_call_nothing_impure() -> None:
    """No open, print or input, and no clock by way of datetime."""
    wrong = [
        f"{source.name}:{node.lineno}"
        for source in pure_sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and _impure(node)
    ]
    assert not wrong, "\n".join(wrong)


def _impure(node: ast.Call) -> bool:
    match node.func:
        case ast.Name(id=name):
            return name in IMPURE_CALLS
        case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=method):
            return owner in DATES and method in IMPURE_METHODS
    return False


def test_no_import_for_types_only() -> None:
    """A type that is needed below lives below: no TYPE_CHECKING anywhere in what ships."""
    assert [s.name for s in code() if any(name == "typing.TYPE_CHECKING" for _, name in imports(s))] == []


def test_modules_form_no_cycle() -> None:
    """Inside the rooms too, hidden imports counted."""
    graph: dict[str, set[str]] = defaultdict(set)
    names = {source.module for source in package()}
    for source in package():
        for _, name in imports(source):
            target = name if name in names else name.rpartition(".")[0]
            if target in names and target != source.module:
                graph[source.module].add(target)
    cycles = [" → ".join(cycle) for cycle in _cycles(graph)]
    assert not cycles, "\n".join(cycles)


def _cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Give one cycle per back edge found by a depth-first walk."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
        elif name not in done:
            for below in sorted(graph.get(name, ())):
                visit(below, [*trail, name])
            done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found
