"""A Python that the file is not for: another one is taken, or the message says which are."""

import ast
import os
from pathlib import Path

import pytest

from tako_modules.boot import start
from tako_modules.boot.standard import standard_paths
from tako_modules.boot.start import interpreter_tag

from .kit import Archive, Start

pytestmark = pytest.mark.timeout(120)  # the first one may have to build the file
BOOT = Path(start.__file__).parent
ANCIENT = (3, 4)  # the oldest grammar that ast knows; 2.7 differs in what FORBIDDEN names
FORBIDDEN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.AnnAssign, ast.JoinedStr, ast.Starred, ast.NamedExpr)
PYTHONS = sorted(Path(os.environ.get("PYENV_ROOT", "/nonexistent")).glob("versions/*/bin/python3"))


@pytest.mark.parametrize("name", ["__init__.py", "stamp.py", "gate.py", "elsewhere.py"])
def test_any_python_reads_the_first_modules(name: str) -> None:
    source = (BOOT / name).read_text()
    tree = ast.parse(source, feature_version=ANCIENT)
    assert source.isascii()
    assert not [node for node in ast.walk(tree) if isinstance(node, FORBIDDEN)]


@pytest.mark.e2e
def test_without_a_fit_python_two_lines_say_what_to_do(archive: Archive, place: Path) -> None:
    tag = interpreter_tag().encode()
    change = {"_bootstrap/stamp.py": (tag, b"cpython-399-" + tag.split(b"-", 2)[2])}
    done = Start(archive=archive.copy(place / "tako.pyz", change=change)).run("--help")
    assert done.returncode == 78
    assert len(done.stderr.splitlines()) == 2
    assert "python3.99" in done.stderr


@pytest.mark.e2e
@pytest.mark.skipif(not PYTHONS, reason="no other Python here")
@pytest.mark.parametrize("python", PYTHONS, ids=[path.parts[-3] for path in PYTHONS])
def test_other_pythons_hand_over(archive: Archive, home: Path, python: Path) -> None:
    started = Start(archive=archive, python=str(python), env={"HOME": str(home)}, flags=())
    assert started.run("--version").stdout.startswith("tako ")
    done = started.run("__selftest__")
    assert done.returncode == 0, done.stderr


def test_only_the_standard_library_stays_on_the_search_path() -> None:
    library = str(Path(os.__file__).parent)
    hostile = [
        "",
        "/srv/lib-dynload",
        f"{library}/site-packages",
        "/srv/python311.zip",
        "/usr/lib/python3/dist-packages",
    ]
    assert standard_paths([*hostile, library, f"{library}/lib-dynload", library]) == [library, f"{library}/lib-dynload"]
