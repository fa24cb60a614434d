"""Which runtime a project has, and what each makes of it."""

from pathlib import Path

import msgspec
import pytest

from tako_modules.base.errors import ConfigError
from tako_modules.config import schema
from tako_modules.model.project import Project, Service
from tako_modules.model.release import HealthCheck
from tako_modules.runtimes import catalog, python, static

HEALTH = HealthCheck(path="/status", timeout=12.0)
HASH = "--hash=sha256:" + "0" * 64


def project(runtime: str = "", start: tuple[str, ...] = (), main: str = "") -> Project:
    return Project(name="shop", runtime=runtime, main=main, services=(Service(start=start, health=HEALTH),))


def put(folder: Path, *files: str) -> Path:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" if name.endswith("html") else "")
    return folder


def test_the_schema_and_the_catalog_know_the_same_runtimes() -> None:
    assert set(schema.RUNTIMES) == set(catalog.RUNTIMES)
    assert set(catalog.LATER_MARKS) <= set(schema.LATER_RUNTIMES)
    assert not set(schema.RUNTIMES) & set(schema.LATER_RUNTIMES)


@pytest.mark.parametrize("name", catalog.RUNTIMES)
def test_every_runtime_keeps_the_contract(tmp_path: Path, name: str) -> None:
    put(tmp_path, "public/index.html")
    given = project(name, ("serve", "{port}"))
    found, runtime = catalog.choose(given, tmp_path)
    assert found == name
    assert runtime.build_command(tmp_path) == ""
    assert runtime.refuses(given) is None
    runtime.check_built(given, tmp_path)
    recipe = runtime.recipe(given, tmp_path)
    assert recipe.runtime == name
    assert recipe.start == ("serve", "{port}")
    assert recipe.health == HEALTH
    assert msgspec.json.decode(msgspec.json.encode(recipe), type=type(recipe)) == recipe


DETECTED = {
    "requirements": (("requirements.txt",), "python"),
    "pyproject": (("pyproject.toml",), "python"),
    "python before static": (("pyproject.toml", "public/index.html"), "python"),
    "public": (("public/index.html",), "static"),
    "dist": (("dist/index.html",), "static"),
    "here": (("index.html",), "static"),
}


@pytest.mark.parametrize(("files", "name"), DETECTED.values(), ids=DETECTED.keys())
def test_files_tell_the_runtime(tmp_path: Path, files: tuple[str, ...], name: str) -> None:
    assert catalog.choose(project(), put(tmp_path, *files))[0] == name


def test_a_start_alone_is_a_command(tmp_path: Path) -> None:
    assert catalog.choose(project(start=("./run",)), tmp_path)[0] == "command"


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="do not tell how this app is started"):
        catalog.choose(project(), tmp_path)


@pytest.mark.parametrize(
    ("mark", "runtime"), [("bun.lock", "bun"), ("package.json", "node"), ("deno.json", "deno"), ("go.mod", "go")]
)
def test_runtimes_of_later_versions_say_so(tmp_path: Path, mark: str, runtime: str) -> None:
    put(tmp_path, mark, "index.html")
    with pytest.raises(ConfigError, match=f"this is a {runtime} app; {runtime} comes with version 0.2 of tako"):
        catalog.choose(project(), tmp_path)
    with pytest.raises(ConfigError, match=f"the runtime {runtime} comes with version"):
        catalog.choose(project(runtime), tmp_path)
    assert catalog.choose(project("static"), tmp_path)[0] == "static"


STATIC = {
    "public": (("public/index.html", "dist/index.html"), "", "public"),
    "dist": (("dist/index.html",), "", "dist"),
    "dist over an unbuilt public": (("public/favicon.ico", "dist/index.html"), "", "dist"),
    "public without an index": (("public/favicon.ico",), "", "public"),
    "build": (("build/index.html",), "", "build"),
    "here": (("index.html",), "", "."),
    "main": (("site/out/a.html", "public/index.html"), "site/out/", "site/out"),
    "main here": (("a.html",), ".", "."),
}


@pytest.mark.parametrize(("files", "main", "folder"), STATIC.values(), ids=STATIC.keys())
def test_static_serves_a_folder(tmp_path: Path, files: tuple[str, ...], main: str, folder: str) -> None:
    given = project("static", main=main)
    put(tmp_path, *files)
    static.check_built(given, tmp_path)
    assert static.recipe(given, tmp_path).start == ("{tako}", "__static__", folder)


@pytest.mark.parametrize("main", ["", "dist", "index.html"])
def test_static_needs_something_to_serve(tmp_path: Path, main: str) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "index.html").write_text("x") if main else None
    with pytest.raises(ConfigError, match="there is nothing to serve"):
        static.check_built(project("static", main=main), tmp_path)


def test_python_installs_into_its_own_environment(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"uvicorn==1 {HASH}\n")
    given = project("python", ("uvicorn", "app:app"))
    python.check_built(given, tmp_path)
    recipe = python.recipe(given, tmp_path)
    assert recipe.install[0] == ("{python}", "-m", "venv", "--without-pip", ".venv")
    assert recipe.install[1][:3] == ("{pip}", "--python", ".venv/bin/python")
    assert {"--require-hashes", "--only-binary", ":all:"} <= set(recipe.install[1])
    assert recipe.path == (".venv/bin",)
    assert recipe.env == {"PYTHONUNBUFFERED": "1"}


def test_python_without_dependencies_installs_nothing(tmp_path: Path) -> None:
    given = project("python", ("python", "app.py"))
    python.check_built(given, tmp_path)
    assert len(python.recipe(given, tmp_path).install) == 1


NEEDS = {
    "command": ("command", "bin/app", "bin/app", "bin/app"),
    "command in a folder": ("command", "bin/", "bin/", "bin/**"),
    "python": ("python", "bin/app", "bin/app", "bin/app"),
    "static": ("static", "dist/", "dist/index.html", "dist/**"),
    "static without an index": ("static", "bin", "bin", "bin/**"),
    "static by its folder": ("static", "", "dist/index.html", "dist/**"),
    "static here": ("static", ".", ".", "."),
}


@pytest.mark.parametrize(("runtime", "main", "path", "glob"), NEEDS.values(), ids=NEEDS.keys())
def test_what_an_app_is_started_from(tmp_path: Path, runtime: str, main: str, path: str, glob: str) -> None:
    put(tmp_path, "bin/app", "dist/index.html")
    need = catalog.RUNTIMES[runtime].needs(project(runtime, ("run",), main), tmp_path)
    assert need is not None
    assert (need.path, need.glob) == (path, glob)


@pytest.mark.parametrize("runtime", ["python", "command"])
def test_without_main_no_file_is_known_to_be_needed(tmp_path: Path, runtime: str) -> None:
    assert catalog.RUNTIMES[runtime].needs(project(runtime, ("run",)), tmp_path) is None


@pytest.mark.parametrize("runtime", ["python", "command"])
def test_a_missing_start_names_the_line_to_add(tmp_path: Path, runtime: str) -> None:
    assert catalog.RUNTIMES[runtime].refuses(project(runtime)) is not None
    with pytest.raises(ConfigError) as caught:
        catalog.RUNTIMES[runtime].recipe(project(runtime), tmp_path)
    assert "add to tako.toml: start = [" in caught.value.hint


LISTS = {
    "pyproject.toml": '[project]\nname = "a"\ndependencies = ["flask"]\n',
    "requirements.in": "# mine\nflask\n",
}


@pytest.mark.parametrize(("name", "text"), LISTS.items(), ids=LISTS.keys())
def test_python_dependencies_without_hashes_name_the_command(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        python.check_built(project("python", ("x",)), tmp_path)
    assert f"uv pip compile --generate-hashes {name} -o requirements.txt" in caught.value.hint


@pytest.mark.parametrize("text", ["", "[", "[project]\nname = 'a'\n", "project = 3"])
def test_a_pyproject_without_dependencies_needs_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    python.check_built(project("python", ("x",)), tmp_path)


def test_main_is_put_into_start(tmp_path: Path) -> None:
    given = project("command", ("run", "--file={main}", "{port}"), "app.sh")
    put(tmp_path, "app.sh")
    command = catalog.RUNTIMES["command"]
    command.check_built(given, tmp_path)
    assert command.recipe(given, tmp_path).start == ("run", "--file=app.sh", "{port}")


@pytest.mark.parametrize("runtime", ["python", "command"])
def test_main_must_be_there(tmp_path: Path, runtime: str) -> None:
    given = project(runtime, ("run", "{main}"), "gone.py")
    with pytest.raises(ConfigError, match=r"main is gone\.py, which is not there after the build"):
        catalog.RUNTIMES[runtime].check_built(given, tmp_path)
    with pytest.raises(ConfigError, match=r"start names \{main\}, but main is missing"):
        catalog.RUNTIMES[runtime].recipe(project(runtime, ("run", "{main}")), tmp_path)
