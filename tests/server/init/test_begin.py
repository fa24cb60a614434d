"""Begin: init loads itself and the standard library, nothing else."""

import subprocess
import sys
from pathlib import Path

from .bed import MAIN


def loaded() -> set[str]:
    """Name every module that a start loads, from the interpreter's own record."""
    run = subprocess.run(
        [sys.executable, "-IS", "-X", "importtime", str(MAIN), "--help"], capture_output=True, text=True, check=True
    )
    return {line.rpartition("|")[2].strip() for line in run.stderr.splitlines() if line.startswith("import time:")}


def test_no_other_room_is_loaded() -> None:
    ours = {name for name in loaded() if name.startswith("tako")}
    files = {path.stem for path in MAIN.parent.glob("*.py")} - {"__init__", "main"}
    package = "tako_modules.server.init"
    assert ours <= {"tako_modules", "tako_modules.server", package, *(f"{package}.{name}" for name in files)}
    assert f"{package}.parent" in ours


def test_nothing_but_the_standard_library_is_loaded() -> None:
    strangers = {name.partition(".")[0] for name in loaded()} - set(sys.stdlib_module_names) - {"tako_modules"}
    assert {name for name in strangers if not name.startswith("imported package")} <= {"sitecustomize"} - strangers


def test_what_costs_memory_is_not_loaded() -> None:
    assert not loaded() & {"asyncio", "dataclasses", "inspect", "logging", "ssl", "subprocess", "threading"}


def test_a_package_beside_it_cannot_replace_a_standard_module(tmp_path: Path) -> None:
    folder = tmp_path / "tako_modules/server/init"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(MAIN.parent)
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    run = subprocess.run([sys.executable, "-IS", str(folder / "main.py"), "--help"], capture_output=True)
    assert run.returncode == 0
