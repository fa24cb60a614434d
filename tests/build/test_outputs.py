"""What builds made is shipped, however they ended, and what an app needs is never left at home."""

from pathlib import Path

import anyio
import pytest

from tako_modules.base.errors import ConfigError, TakoError
from tako_modules.workspace.state import State

from .bed import Bed, names

MAKE = "test -e dist/app || { mkdir -p dist; echo made > dist/app; }"  # does nothing where it is done already


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    made = Bed(tmp_path / "shop").write({"src": "1", ".gitignore": "dist/\n"})
    made.commit()
    return made


async def test_what_a_failed_build_made_is_shipped_by_the_next(bed: Bed) -> None:
    with pytest.raises(TakoError, match="the build failed"):
        await bed.make(f"{MAKE}; exit 1", main="dist/app")
    assert names(await bed.make(MAKE, main="dist/app")) == [".gitignore", "dist/app", "src"]


async def test_what_a_stopped_build_made_is_shipped_by_the_next(bed: Bed) -> None:
    with anyio.CancelScope() as stopped:
        await bed.make(f"{MAKE}; echo made; sleep 60", main="dist/app", seen=lambda _: stopped.cancel())
    assert stopped.cancelled_caught
    assert State(bed.folder).read_outputs().keys() == {"dist/app"}
    assert "dist/app" in names(await bed.make(MAKE, main="dist/app"))


async def test_a_build_whose_outputs_are_refused_is_recorded_too(bed: Bed) -> None:
    with pytest.raises(ConfigError, match="main is dist/other"):
        await bed.make(MAKE, main="dist/other")
    assert "dist/app" in names(await bed.make(MAKE, main="dist/app"))


async def test_a_failed_build_keeps_what_earlier_ones_made(bed: Bed) -> None:
    await bed.make(MAKE)
    with pytest.raises(TakoError, match="the build failed"):
        await bed.make("touch dist/more; exit 1")
    assert State(bed.folder).read_outputs().keys() == {"dist/app", "dist/more"}


async def test_a_failed_build_is_told_though_its_outputs_cannot_be_read(bed: Bed) -> None:
    script = "import os\nfor _ in range(40):\n os.mkdir('d' * 200)\n os.chdir('d' * 200)"
    bed.write({"deep.py": script})
    try:
        with pytest.raises(TakoError, match="the build failed"):
            await bed.make("python3 deep.py; exit 1")
    finally:
        await anyio.run_process(["rm", "-rf", str(bed.folder / ("d" * 200))])


NOT_SHIPPED = {
    "ignored": ("command", "dist/app", (), "git ignores it, and the build did not make it", 'include = ["dist/app"]'),
    "ignored folder": ("python", "dist/", (), "git ignores it", 'include = ["dist/**"]'),
    "ignored site": ("static", "dist", (), "needs dist/index.html, which is there but is not shipped", "dist/**"),
    "excluded": ("command", "src", ("src",), "exclude, .takoignore or the list of what is never", ".takoignore"),
    "never shipped": ("command", "node_modules/app", (), "the list of what is never shipped", "another name"),
    "through an ignored link": ("command", "dist/link", (), "git ignores it", 'include = ["dist/link"]'),
}


@pytest.mark.parametrize(("runtime", "main", "exclude", "words", "hint"), NOT_SHIPPED.values(), ids=NOT_SHIPPED.keys())
async def test_what_is_here_but_not_shipped_is_told(
    bed: Bed, runtime: str, main: str, exclude: tuple[str, ...], words: str, hint: str
) -> None:
    bed.write({"dist/app": "by hand", "dist/index.html": "x", "node_modules/app": "x"})
    (bed.folder / "dist/link").symlink_to("../src")
    with pytest.raises(ConfigError) as caught:
        await bed.make("true", runtime=runtime, main=main, exclude=exclude)
    assert words in caught.value.message
    assert "is there but is not shipped" in caught.value.message
    assert hint in caught.value.hint


async def test_the_hint_of_what_is_not_shipped_holds(bed: Bed) -> None:
    bed.write({"dist/app": "by hand", "dist/index.html": "x"})
    (bed.folder / "dist/link").symlink_to("../src")
    assert "dist/app" in names(await bed.make(main="dist/app", include=("dist/app",)))
    assert "dist/index.html" in names(await bed.make(runtime="static", main="dist/", include=("dist/**",)))
    assert "dist/link" in names(await bed.make(main="dist/link", include=("dist/link",)))


SHIPPED = {
    "a file": ("command", "src"),
    "a file named another way": ("command", "./lib//app"),
    "a folder": ("command", "lib/"),
    "through a link": ("command", "current/app"),
    "everything": ("command", "."),
    "a site without an index": ("static", "lib"),
}


@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
@pytest.mark.parametrize(("runtime", "main"), SHIPPED.values(), ids=SHIPPED.keys())
async def test_what_an_app_needs_may_be_named_in_any_way(tmp_path: Path, runtime: str, main: str, git: bool) -> None:
    bed = Bed(tmp_path / "shop").write({"src": "1", "lib/app": "1"})
    (bed.folder / "current").symlink_to("lib")
    if git:
        bed.commit()
    assert names(await bed.make(runtime=runtime, main=main)) == ["current", "lib/app", "src"]
