"""Projects that are not packed, and what is told of them."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tako_modules.base.errors import ConfigError, TakoError

from .bed import Bed, names


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path / "shop")


REFUSED = {
    "absolute link": ("ln -s /etc/passwd link", "the link link leads out of the project, to /etc/passwd"),
    "link out": ("mkdir a; ln -s ../../other a/link", "the link a/link leads out"),
    "link through a link": ("mkdir a; ln -s . here; ln -s here/../../x link", "the link link leads out"),
    "link to itself": ("ln -s loop loop", "the link loop -> loop leads in a circle"),
    "links in a circle": ("mkdir a; ln -s ../b a/link; ln -s a/link b", "the link a/link -> ../b leads in a circle"),
    "case": ("echo 1 > File; echo 2 > file", "File and file differ only in case"),
    "case of folders": ("mkdir A a; echo 1 > A/x; echo 2 > a/y", "A and a differ only in case"),
    "own logs": ("mkdir logs; echo 1 > logs/readme", "the app brings its own logs"),
    "logs as a file": ("echo 1 > logs", "the app brings its own logs"),
    "name": ("touch \"$(printf 'a\\377')\"", "is not UTF-8"),
    "name in a link": ("ln -s \"$(printf 'a\\377')\" link", "the link link holds a name that is not UTF-8"),
    "nothing": ("rm src", "there is no file to ship"),
    "too large": (
        "truncate -s 5G big",
        "the app is larger than the 4.00 GB that a server takes; big alone has 5.00 GB",
    ),
    "too large together": ("for n in 1 2 3 4 5; do truncate -s 1G $n; done", "the app is larger than the 4.00 GB"),
    "a pipe with patterns": ("mkfifo .takoignore", ".takoignore is a named pipe"),
    "a folder with patterns": ("mkdir .takoignore", ".takoignore is a folder"),
    "patterns that are nowhere": ("ln -s gone .takoignore", ".takoignore is a dangling link (to gone)"),
}


@pytest.mark.parametrize(("change", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_a_server_would_refuse_is_refused_here(bed: Bed, change: str, words: str) -> None:
    bed.write({"src": "1"})
    subprocess.run(["/bin/sh", "-c", change], cwd=bed.folder, check=True)
    with pytest.raises(TakoError) as caught:
        await bed.make()
    assert words in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2
    assert not list((bed.folder / ".tako/build").glob("*.tar.gz"))


@pytest.fixture
def abyss(bed: Bed) -> Iterator[Bed]:
    """A project with folders so deep that no path leads to the bottom."""
    bed.write({"src": "1"})
    script = "import os\nfor _ in range(40):\n os.mkdir('d' * 200)\n os.chdir('d' * 200)\nopen('bottom', 'w')"
    (bed.folder / "deep").mkdir()
    subprocess.run([sys.executable, "-c", script], cwd=bed.folder / "deep", check=True)
    yield bed
    subprocess.run(["rm", "-rf", str(bed.folder / "deep")], check=True)


@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
async def test_folders_too_deep_to_be_read_are_named(abyss: Bed, git: bool) -> None:
    if git:
        abyss.git("init", "-q")
    with pytest.raises(
        ConfigError, match=r"^cannot read deep/ddd.{50,60} \(\d{4} bytes\): File name too long$"
    ) as caught:
        await abyss.make()
    assert "exclude" in caught.value.hint


@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
@pytest.mark.parametrize("exclude", ["deep", "deep/", "deep/**"])
async def test_folders_too_deep_to_be_read_can_be_left_out(abyss: Bed, git: bool, exclude: str) -> None:
    if git:
        abyss.git("init", "-q")
    assert names(await abyss.make(exclude=(exclude,))) == ["src"]


@pytest.mark.parametrize("git", [True, False], ids=["git", "no git"])
async def test_what_is_no_file_is_told(bed: Bed, git: bool) -> None:
    bed.write({"src": "1", ".gitignore": "*.ignored\n", ".takoignore": "run\n", "run/x": "1"})
    if git:
        bed.commit()
    for name in ("a.pipe", "b.ignored", "run/out"):
        os.mkfifo(bed.folder / name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(bed.folder / "app.sock"))
    artifact = await bed.make()
    assert names(artifact) == [".gitignore", ".takoignore", "src"]
    assert artifact.left_out == (
        "a.pipe is a named pipe, which is not shipped",
        "app.sock is a socket, which is not shipped",
    )


async def test_a_disk_that_takes_no_more_is_named_by_its_folder(bed: Bed) -> None:
    bed.write({"noise": os.urandom(200_000)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(TakoError) as caught:
            await bed.make()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.message == f"cannot write into {bed.folder}/.tako/build: File too large"


async def test_what_a_server_takes_for_a_bomb_is_refused_here(bed: Bed) -> None:
    with pytest.raises(TakoError, match="a server takes that for a bomb"):
        await bed.write({"zeros": bytes(2_000_000)}).make()
    assert [path.name for path in (bed.folder / ".tako/build").iterdir()] == ["outputs.json"]
