"""The built file: what is in it, and that it starts wherever it is put."""

import importlib.machinery
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tako_modules import VERSION
from tako_modules.cli.hidden import selftest

from .kit import NOBODY, PYTHON, Archive, Start

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")


def healthy(done: "subprocess.CompletedProcess[str]") -> dict[str, object]:
    """Read the report of a self-test that must have passed."""
    assert done.returncode == 0, done.stderr + done.stdout
    report: dict[str, object] = json.loads(done.stdout)
    assert report["failures"] == {}
    return report


def test_outer_zip_has_few_entries_with_one_time_and_fixed_modes(archive: Archive) -> None:
    with zipfile.ZipFile(archive.path) as outer:
        entries = outer.infolist()
    assert len(entries) < 20
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 & 0o7777 for entry in entries} <= {0o644, 0o600}


def test_shiv_can_read_it(archive: Archive) -> None:
    with zipfile.ZipFile(archive.path) as outer:
        environment = json.loads(outer.read("environment.json"))
    assert environment["build_id"].startswith(archive.build)
    assert environment["entry_point"] == "tako_modules.cli.main:main"


def test_natives_in_it_are_the_ones_that_the_selftest_imports(archive: Archive) -> None:
    suffix = importlib.machinery.EXTENSION_SUFFIXES
    natives = [name for name in archive.members() if name.endswith(".so")]
    modules = {
        min((name.removesuffix(end) for end in suffix if name.endswith(end)), key=len).replace("/", ".")
        for name in natives
    }
    assert modules == set(selftest.NATIVES)


def test_licences_and_metadata_stay_and_installation_records_go(archive: Archive) -> None:
    names = [name for name in archive.members() if ".dist-info/" in name]
    folders = {name.split("/")[0] for name in names}
    assert all(f"{folder}/METADATA" in names for folder in folders)
    assert any("/licenses/" in name for name in names)
    assert not [name for name in names if name.endswith(("/RECORD", "/WHEEL", "/INSTALLER", "direct_url.json"))]


def test_version_needs_no_runtime(archive: Archive, place: Path) -> None:
    done = Start(archive=archive, env={"TAKO_CACHE": str(place / "cache")}).run("--version")
    assert done.stdout == f"tako {VERSION} (build {archive.build})\n"
    assert not (place / "cache").exists()


@pytest.mark.parametrize("flags", [("-IS",), ("-I",), ("-S",), ()], ids=["-IS", "-I", "-S", "none"])
def test_starts_with_any_flags(archive: Archive, home: Path, flags: tuple[str, ...]) -> None:
    report = healthy(Start(archive=archive, env={"HOME": str(home)}, flags=flags).run("__selftest__"))
    assert report["build"] == archive.build
    assert str(report["runtime"]).startswith(str(home / ".cache/tako"))


def test_starts_by_itself_by_link_and_by_relative_path(archive: Archive, place: Path, home: Path) -> None:
    (place / "sub").mkdir()
    copied = archive.copy(place / "sub/tako.pyz")
    (place / "link").symlink_to("sub/tako.pyz")
    start = Start(archive=copied, env={"HOME": str(home)}, cwd=place)
    for path in (Path("link"), Path("sub/tako.pyz"), place / "link"):
        healthy(replace(start, archive=Archive(path)).run("__selftest__"))
    env = {"PATH": f"{Path(PYTHON).parent}:/usr/bin:/bin", "HOME": str(home)}
    assert subprocess.run([copied.path, "--help"], env=env, capture_output=True).returncode == 0


@as_root
def test_a_user_without_any_home_gets_a_runtime_for_the_moment(archive: Archive, place: Path) -> None:
    place.chmod(0o777)
    done = Start(archive=archive, env={"TMPDIR": str(place)}, user=54321).run("__selftest__")
    assert str(healthy(done)["runtime"]).startswith(str(place))
    assert "set TAKO_CACHE" in done.stderr
    assert list(place.iterdir()) == []


@as_root
def test_a_home_that_cannot_be_written_is_named_in_the_warning(archive: Archive, place: Path) -> None:
    (place / "tmp").mkdir()
    (place / "tmp").chmod(0o777)
    env = {"HOME": str(place), "TMPDIR": str(place / "tmp")}
    done = Start(archive=archive, env=env, user=NOBODY).run("__selftest__")
    healthy(done)
    assert f"{place}/.cache/tako: Permission denied" in done.stderr


@as_root
def test_nobody_uses_the_warm_runtime_beside_the_file(archive: Archive, place: Path) -> None:
    copied = archive.copy(place / "tako.pyz")
    own = {"XDG_CACHE_HOME": str(place / "roots-own")}  # a runtime that root has already must not be taken for it
    assert Start(archive=copied, env=own).run("--help").returncode == 0
    assert list((place / "roots-own/tako").glob(f"{archive.build}-*"))
    (place / ".tako-runtime").mkdir(mode=0o755)
    assert Start(archive=copied, env=own, umask=0o077).run("__warm__").returncode == 0
    done = Start(archive=copied, user=NOBODY).run("__selftest__")
    assert str(healthy(done)["runtime"]).startswith(str(place / ".tako-runtime"))
    assert done.stderr == ""


def test_search_path_of_the_caller_brings_nothing_in(archive: Archive, place: Path, home: Path) -> None:
    for name in ("click", "json", "msgspec", "typing", "tako_modules"):
        (place / f"{name}.py").write_text("raise SystemExit('hijacked')\n")
    (place / "lib-dynload").mkdir()
    path = f"{place}:{place}/lib-dynload"
    healthy(Start(archive=archive, env={"HOME": str(home), "PYTHONPATH": path}, flags=()).run("__selftest__"))
    healthy(Start(archive=archive, env={"HOME": str(home)}, flags=(), cwd=place).run("__selftest__"))


def test_children_inherit_the_file_and_no_python_variables(archive: Archive, place: Path, home: Path) -> None:
    copied = archive.copy(place / "tako.pyz")
    code = (
        "import os, runpy, sys; sys.argv = [sys.argv[1], '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: print(sorted(n for n in os.environ if n.startswith(('PYTHON', 'TAKO'))))\n"
        "print(os.environ['TAKO_PYZ'])"
    )
    env = {"HOME": str(home), "PYTHONPATH": "/nowhere", "PYTHONDONTWRITEBYTECODE": "1", "TAKO_BOOT_REREAD": "1"}
    argv = [PYTHON, "-c", code, str(copied.path)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["['TAKO_PYZ']", str(copied.path)]


def test_pip_installs_into_another_environment(archive: Archive, place: Path, home: Path) -> None:
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(place / "env")], check=True)
    wheel = place / "hello_tako-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as package:
        package.writestr("hello_tako.py", "print('hello')\n")
        package.writestr("hello_tako-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello-tako\nVersion: 1\n")
        tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        package.writestr("hello_tako-1.dist-info/WHEEL", tags)
        package.writestr("hello_tako-1.dist-info/RECORD", "")
    python = place / "env/bin/python"
    done = Start(archive=archive, env={"HOME": str(home)}).run(
        "__pip__", "--python", str(python), "install", "--no-index", str(wheel)
    )
    assert done.returncode == 0, done.stderr
    assert subprocess.run([python, "-m", "hello_tako"], capture_output=True, text=True).stdout == "hello\n"


def test_eight_first_starts_at_once_make_one_runtime(archive: Archive, place: Path) -> None:
    argv = [PYTHON, "-IS", str(archive.path), "--help"]
    env = {"TAKO_CACHE": str(place / "cache")}
    started = [subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL) for _ in range(8)]
    assert [process.wait() for process in started] == [0] * 8
    assert len(list((place / "cache").iterdir())) == 2  # the runtime and CACHEDIR.TAG


def test_an_importable_python_is_not_needed_by_the_launcher(archive: Archive) -> None:
    assert Path(PYTHON).parent != Path(sys.prefix) / "bin"
    assert Start(archive=archive, python=sys.executable).run("--version").returncode == 0


def test_the_selftest_knows_every_locked_library() -> None:
    lines = (Path(__file__).resolve().parents[2] / "requirements/runtime.in").read_text().split()
    assert set(lines) <= set(selftest.LIBRARIES)


def test_the_package_and_the_project_have_one_version() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
