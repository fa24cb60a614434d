"""Taking the built-in server away: its folders of this user, and nothing else."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tako_modules.base import files, paths
from tako_modules.base.clock import Clock, utc_text
from tako_modules.base.paths import ServerPaths
from tako_modules.base.text import size_text
from tako_modules.protocol.setup import RemoveRequest, SetupData

from . import local
from .progress import Progress

__all__ = ["remove_local"]

STOP = "stop the built-in server and every app on it"
Removal = tuple[str, Callable[[], object]]


async def remove_local(request: RemoveRequest, clock: Clock, progress: Progress) -> SetupData:
    """Plan, or carry out, the removal of the built-in server, step by step; raises TakoError."""
    data = ServerPaths(paths.local_data_dir())
    apps = dict(_apps(data))
    if apps and not request.delete_apps:
        problem = f"apps are deployed there: {', '.join(apps)}"
        hint = "add --delete-apps to delete them too, and --purge to keep no data"
        return SetupData(problems=((problem, hint),), apps=tuple(apps))
    stopping = [STOP] if paths.local_socket().exists() else []
    removals = list(_removals(data, apps, request, utc_text(clock.now()).replace(":", "").replace("-", "")))
    if request.apply:
        for words in stopping:
            progress.step("", words)
        await local.stop(clock)
        with files.disk_errors("remove the built-in server"):
            _carry_out(removals, progress)
    return SetupData(steps=(*stopping, *(words for words, _ in removals)), apps=tuple(apps))


def _removals(data: ServerPaths, apps: dict[str, int], request: RemoveRequest, stamp: str) -> Iterator[Removal]:
    """Give what is to be removed, in words and as deeds; stamp: of the data in the trash."""
    if not request.purge:
        for app, size in apps.items():
            if size:
                kept = data.trash / f"{app}-{stamp}"
                yield f"move the data of {app} ({size_text(size)}) to {kept}", partial(_move, data.app(app).data, kept)
    for path in _folders(data, request):
        yield f"remove the folder {path}", partial(shutil.rmtree, path)


def _move(data: Path, trash: Path) -> None:
    trash.parent.mkdir(mode=0o700, exist_ok=True)
    data.rename(trash)


def _carry_out(removals: Sequence[Removal], progress: Progress) -> None:
    for words, act in removals:
        progress.step("", words)
        act()
    paths.local_socket().unlink(missing_ok=True)


def _folders(data: ServerPaths, request: RemoveRequest) -> list[Path]:
    wanted = [data.root, paths.home().local, *([data.trash] if request.purge else [])]
    return [path for path in wanted if path.is_dir()]


def _apps(data: ServerPaths) -> Iterator[tuple[str, int]]:
    """Give every deployment with the bytes of its data."""
    folder = data.root / "apps"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield path.name, _size(data.app(path.name).data)


def _size(path: Path) -> int:
    return sum((Path(folder) / name).lstat().st_size for folder, _, names in os.walk(path) for name in names)
