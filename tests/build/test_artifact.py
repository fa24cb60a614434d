"""From a project to its artifact: what is in it, and what it is called."""

import gzip
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from tako_modules.base.errors import ConfigError, Locked, TakoError
from tako_modules.base.files import file_digest
from tako_modules.build.artifact import KEPT
from tako_modules.workspace.lock import project_lock
from tako_modules.workspace.state import State

from .bed import Bed, names


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path / "shop")


async def test_an_artifact_tells_what_it_is(bed: Bed) -> None:
    commit = bed.write({"run": "#!/bin/sh", "src/app": "x"}).commit()
    artifact = await bed.make()
    assert artifact.version == commit
    assert artifact.path == bed.folder / f".tako/build/{commit}.tar.gz"
    assert artifact.size == artifact.path.stat().st_size
    assert artifact.sha256 == file_digest(artifact.path)
    assert artifact.files == 2
    assert artifact.recipe.start == ("./run",)
    assert names(artifact) == ["run", "src/app"]


async def test_the_bytes_depend_on_names_modes_and_content_alone(tmp_path: Path) -> None:
    digests = set()
    for number, umask in enumerate((0o022, 0o077)):
        before = os.umask(umask)
        try:
            bed = Bed(tmp_path / str(number)).write({"b": "2", "a": "1", "long": b"x" * 70_000})
            (bed.folder / "b").chmod(0o700)
            (bed.folder / "link").symlink_to("a")
            os.utime(bed.folder / "a", (number, number))
            digests.add((await bed.make()).sha256)
        finally:
            os.umask(before)
    assert len(digests) == 1


async def test_owner_time_and_modes_are_settled(bed: Bed) -> None:
    bed.write({"plain": "1", "program": "2"})
    (bed.folder / "plain").chmod(0o4600)
    (bed.folder / "program").chmod(0o711)
    artifact = await bed.make()
    with tarfile.open(artifact.path) as tar:
        told = {i.name: (i.mode, i.uid, i.gid, i.mtime, i.uname, i.gname) for i in tar.getmembers()}
    assert told == {"plain": (0o644, 0, 0, 0, "", ""), "program": (0o755, 0, 0, 0, "", "")}
    assert gzip.decompress(artifact.path.read_bytes())
    assert artifact.path.read_bytes()[4:8] == b"\0\0\0\0"


SHIPPED = {
    "tracked and untracked": ({}, (), (), ["new", "tracked"]),
    "ignored": ({".gitignore": "new\n"}, (), (), [".gitignore", "tracked"]),
    "ignored but included": ({".gitignore": "new\n"}, ("new",), (), [".gitignore", "new", "tracked"]),
    "included and excluded": ({".gitignore": "new\n"}, ("**",), ("new",), [".gitignore", "tracked"]),
    "excluded": ({"a/x.map": "1", "a/x.js": "1"}, (), ("**/*.map",), ["a/x.js", "new", "tracked"]),
    "takoignore": ({".takoignore": "new\n/a/\n", "a/b": "1"}, (), (), [".takoignore", "tracked"]),
    "takoignore beats include": ({".takoignore": "new\n"}, ("new",), (), [".takoignore", "tracked"]),
    "fixed list": (
        {
            "node_modules/a": "1",
            "sub/node_modules/a": "1",
            ".env": "1",
            ".env.production": "1",
            "sub/.env.local": "1",
            "debug.log": "1",
            ".next/cache/a": "1",
            "web/.next/cache/a": "1",
            ".turbo/a": "1",
            ".venv/a": "1",
            "env/pyvenv.cfg": "1",
            "env/lib/x": "1",
            "pkg//pycache//a.pyc": "1",
        },
        ("**",),
        (),
        ["new", "tracked"],
    ),
}


@pytest.mark.parametrize(("files", "include", "exclude", "expected"), SHIPPED.values(), ids=SHIPPED.keys())
@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
async def test_what_is_shipped(
    bed: Bed, git: bool, files: dict[str, str], include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
) -> None:
    bed.write({"tracked": "1"})
    if git:
        bed.commit()
    artifact = await bed.write({"new": "1", **files}).make(include=include, exclude=exclude)
    assert names(artifact) == expected


async def test_gitignore_files_hold_without_git_too(bed: Bed) -> None:
    bed.write(
        {
            ".gitignore": "*.tmp\n/build/\n!keep.tmp\n",
            "a.tmp": "1",
            "keep.tmp": "1",
            "build/x": "1",
            "sub/build/x": "1",
            "sub/.gitignore": "!*.tmp\nsecret\n",
            "sub/a.tmp": "1",
            "sub/secret": "1",
            "secret": "1",
        },
    )
    assert names(await bed.make()) == [
        *(".gitignore", "keep.tmp", "secret", "sub/.gitignore", "sub/a.tmp", "sub/build/x"),
    ]


async def test_a_project_below_its_repository(bed: Bed) -> None:
    bed.write({"other/x": "1", "app/run": "1", "app/sub/y": "1"})
    commit = bed.commit()
    inner = Bed(bed.folder / "app")
    assert ((await inner.make()).version, names(await inner.make())) == (commit, ["run", "sub/y"])
    bed.write({"other/x": "2"})
    assert (await inner.make()).version == commit
    inner.write({"run": "2"})
    assert re.fullmatch(commit + "_[0-9a-f]{8}", (await inner.make()).version)


async def test_a_repository_that_ignores_the_project_is_none(bed: Bed) -> None:
    bed.write({".gitignore": "/app/\n"}).commit()
    inner = Bed(bed.folder / "app").write({"run": "1"})
    artifact = await inner.make()
    assert artifact.version.startswith("nogit_")
    assert names(artifact) == ["run"]


async def test_a_submodule_is_shipped(bed: Bed, tmp_path: Path) -> None:
    other = Bed(tmp_path / "other").write({"x": "1"})
    other.commit()
    bed.write({"run": "1"}).commit()
    bed.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.folder), "lib")
    bed.commit()
    assert names(await bed.make()) == [".gitmodules", "lib/x", "run"]


async def test_a_nested_repository_is_shipped(bed: Bed) -> None:
    bed.write({"run": "1"}).commit()
    Bed(bed.folder / "lib").write({"x": "1"}).commit()
    assert names(await bed.make()) == ["lib/x", "run"]


async def test_a_deleted_file_is_not(bed: Bed) -> None:
    bed.write({"run": "1", "gone": "1"}).commit()
    (bed.folder / "gone").unlink()
    artifact = await bed.make()
    assert names(artifact) == ["run"]
    assert "_" in artifact.version


async def test_git_in_a_hook_is_the_projects(bed: Bed) -> None:
    commit = bed.write({"run": "1"}).commit()
    os.environ["GIT_DIR"] = "/nowhere"
    try:
        assert (await bed.make()).version == commit
    finally:
        del os.environ["GIT_DIR"]


async def test_a_broken_repository_is_an_error(bed: Bed) -> None:
    bed.write({"run": "1"}).commit()
    (bed.folder / ".git/HEAD").write_text("nonsense")
    with pytest.raises(TakoError, match="git ls-files failed"):
        await bed.make()


BUILD = "mkdir -p dist && echo made > dist/app.js && cp src dist/copy && chmod +x dist/copy"


async def test_what_a_build_makes_is_shipped_though_ignored(bed: Bed) -> None:
    commit = bed.write({"src": "1", ".gitignore": "dist/\n"}).commit()
    artifact = await bed.make(BUILD)
    assert names(artifact) == [".gitignore", "dist/app.js", "dist/copy", "src"]
    assert artifact.version == commit


async def test_what_it_made_before_too_while_it_is_there(bed: Bed) -> None:
    bed.write({"src": "1", ".gitignore": "dist/\n"}).commit()
    await bed.make(BUILD)
    again = await bed.make("test -f dist/app.js")
    assert names(again) == [".gitignore", "dist/app.js", "dist/copy", "src"]
    assert names(await bed.make("")) == names(again)
    (bed.folder / "dist/copy").unlink()
    assert names(await bed.make("")) == [".gitignore", "dist/app.js", "src"]


async def test_ignored_files_that_no_build_made_stay_home(bed: Bed) -> None:
    bed.write({"src": "1", ".gitignore": "dist/\nlocal.db\n", "dist/stale": "1", "local.db": "1"}).commit()
    assert names(await bed.make(BUILD)) == [".gitignore", "dist/app.js", "dist/copy", "src"]


async def test_the_fixed_list_holds_for_builds(bed: Bed) -> None:
    bed.write({"src": "1"}).commit()
    artifact = await bed.make(
        "mkdir -p node_modules web/.next/cache; touch node_modules/a web/.next/cache/big .env a.log b"
    )
    assert names(artifact) == ["b", "src"]


async def test_a_clean_tree_stays_clean_over_builds(bed: Bed) -> None:
    """What a build leaves untracked is not an edit, at the first deploy and at the next."""
    commit = bed.write({"src": "1"}).commit()
    assert (await bed.make(BUILD)).version == commit
    assert bed.git("status", "--porcelain")
    assert (await bed.make(BUILD)).version == commit
    assert (await bed.make("true")).version == commit
    (bed.folder / "dist/app.js").write_text("by hand")
    assert (await bed.make("true")).version != commit


async def test_a_build_that_gives_other_files_has_another_version(bed: Bed) -> None:
    """Else a server would think that it has this release already."""
    commit = bed.write({"src": "1", ".gitignore": "dist/\n"}).commit()
    first = await bed.make("mkdir -p dist; echo 1 > dist/a")
    second = await bed.make("mkdir -p dist; echo 2 > dist/a")
    assert first.version == commit
    assert second.version.startswith(f"{commit}_")
    assert (await bed.make("mkdir -p dist; echo 1 > dist/a")).version == commit


@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
async def test_the_same_content_has_the_same_version(tmp_path: Path, git: bool) -> None:
    versions = []
    for place in ("one", "two"):
        bed = Bed(tmp_path / place).write({"src": "1", "sub/x": "2"})
        if git:
            bed.git("init", "-q")
        versions.append((await bed.write({"more": "3"}).make()).version)
        versions.append((await bed.make()).version)
        (bed.folder / "src").touch()
        versions.append((await bed.make()).version)
    assert len(set(versions)) == 1
    assert re.fullmatch("nogit_[0-9a-f]{8}", versions[0])


CHANGES = {
    "content": "echo 2 > src",
    "name": "mv src other",
    "mode": "chmod +x src",
    "new file": "touch new",
    "link": "ln -s src link",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
async def test_other_content_has_another_version(bed: Bed, git: bool, change: str) -> None:
    bed.write({"src": "1"})
    if git:
        bed.commit()
    before = (await bed.make()).version
    subprocess.run(["/bin/sh", "-c", change], cwd=bed.folder, check=True)
    after = (await bed.make()).version
    assert after != before
    assert re.fullmatch("([0-9a-f]{7}|nogit)_[0-9a-f]{8}", after)


async def test_files_that_are_not_shipped_do_not_count(bed: Bed) -> None:
    commit = bed.write({"src": "1", ".takoignore": "notes\n"}).commit()
    bed.write({".env": "SECRET=1", "notes": "1", "a.log": "1"})
    assert (await bed.make()).version == commit


@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
async def test_settings_that_are_not_shipped_count(bed: Bed, git: bool) -> None:
    """A server would else change a release that serves: a site's own files do not have tako.toml among them."""
    bed.write({"src": "1", "tako.toml": "one", ".takoignore": "tako.toml\n"})
    if git:
        bed.commit()
    versions = [(await bed.make(variables={"A": "1"})).version]
    bed.write({"tako.toml": "two"})
    versions.append((await bed.make(variables={"A": "2"})).version)
    versions.append((await bed.make(variables={"A": "3"})).version)
    assert len(set(versions)) == 3
    assert (await bed.make(variables={"A": "3"})).version == versions[2]


async def test_an_included_file_that_git_ignores_counts(bed: Bed) -> None:
    commit = bed.write({"src": "1", ".gitignore": "dist/\n", "dist/a": "1"}).commit()
    first = (await bed.make(include=("dist/**",))).version
    bed.write({"dist/a": "2"})
    second = (await bed.make(include=("dist/**",))).version
    assert len({commit, first, second}) == 3


async def test_lines_of_the_build_arrive(bed: Bed) -> None:
    await bed.write({"src": "1"}).make("echo one; echo two >&2; printf three")
    assert bed.lines == ["one", "two", "three"]


async def test_a_failed_build_keeps_what_was(bed: Bed) -> None:
    first = await bed.write({"src": "1"}).make()
    bed.write({"src": "2"})
    with pytest.raises(TakoError, match=r"the build failed \(exit code 3\)") as caught:
        await bed.make("echo broken; exit 3")
    assert "broken" in caught.value.message
    assert [path.name for path in first.path.parent.glob("*.tar.gz")] == [first.path.name]


async def test_a_missing_output_is_an_error(bed: Bed) -> None:
    with pytest.raises(ConfigError, match="there is nothing to serve"):
        await bed.write({"src": "1"}).make("true", runtime="static", main="dist")
    with pytest.raises(ConfigError, match="main is app"):
        await bed.make("true", main="app")


async def test_python_leaves_its_own_files_home(bed: Bed) -> None:
    bed.write({"app.py": "1", ".mypy_cache/x": "1", ".tox/x": "1"})
    assert names(await bed.make(runtime="python")) == ["app.py"]


async def test_a_site_is_shipped_without_its_tako_toml(bed: Bed) -> None:
    bed.write({"index.html": "x", "tako.toml": "name = 'x'"})
    assert names(await bed.make(runtime="static")) == ["index.html"]


async def test_links_inside_are_kept(bed: Bed) -> None:
    bed.write({"a/file": "1"})
    (bed.folder / "to-file").symlink_to("a/file")
    (bed.folder / "a/up").symlink_to("../a")
    (bed.folder / "later").symlink_to("node_modules/x")
    artifact = await bed.make()
    with tarfile.open(artifact.path) as tar:
        links = {member.name: member.linkname for member in tar.getmembers() if member.issym()}
    assert links == {"a/up": "../a", "later": "node_modules/x", "to-file": "a/file"}


async def test_empty_logs_folders_do_not_matter(bed: Bed) -> None:
    (bed.write({"src": "1"}).folder / "logs").mkdir()
    bed.write({"logs/app.log": "1"})
    assert names(await bed.make()) == ["src"]


async def test_a_few_artifacts_are_kept(bed: Bed) -> None:
    (bed.folder / ".tako/build").mkdir(parents=True)
    (bed.folder / ".tako/build/.left.tar.gz").write_text("killed")
    for number in range(KEPT + 2):
        last = await bed.write({"src": str(number)}).make()
    kept = list((bed.folder / ".tako/build").glob("*.tar.gz"))
    assert len(kept) == KEPT
    assert last.path in kept
    assert not any(path.name.startswith(".") for path in kept)


async def test_two_builds_at_once_are_one(bed: Bed) -> None:
    with project_lock(State(bed.write({"src": "1"}).folder)), pytest.raises(Locked, match="is building this project"):
        await bed.make()
