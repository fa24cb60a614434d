"""What control does to the machine it runs on: users, folders, ownership, links; every function is small and blocking.

Folders of a deployment belong to root and are readable by its group alone; only data, logs, cache and TMPDIR are the
app's own. A rootless server has one user for all of it, so nothing changes hands there.
"""

import contextlib
import os
import pwd
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tako_modules.base import files, ids, log, process
from tako_modules.base.errors import TakoError
from tako_modules.base.paths import ServerPaths

from . import ownership

__all__ = ["Host", "Identity"]

_GROUP_EXISTS = 9  # groupadd: this name is there; a crash came before its user


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an app's processes are; None, None: the caller, on a rootless server."""

    uid: int | None
    gid: int | None


class Host:
    """The machine below one data directory."""

    def __init__(self, paths: ServerPaths, *, rootless: bool) -> None:
        self.paths = paths
        self.rootless = rootless

    def prepare_root(self) -> None:
        """Make the data directory's own folders."""
        for path, mode in (
            (self.paths.root, 0o755),
            (self.paths.root / "apps", 0o755),
            (self.paths.certificates, 0o700),
            (self.paths.logs, 0o750),
            (self.paths.uploads, 0o700),
            (self.paths.caches, 0o755),
            (self.paths.temporary, 0o755),
        ):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)

    async def ensure_user(self, app: str, uid: int | None) -> Identity:
        """Make the system user of a deployment unless it exists; raises TakoError."""
        if self.rootless or uid is None:
            return Identity(None, None)
        name = ids.app_user(app)
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            await self._add_user(name, app, uid)
            found = pwd.getpwnam(name)
        if (found.pw_uid, found.pw_gid) != (uid, uid):
            raise TakoError(
                f"the user {name} exists with uid {found.pw_uid} and gid {found.pw_gid}, not {uid}",
                hint=f"remove that user (userdel {name}) and deploy again",
            )
        return Identity(found.pw_uid, found.pw_gid)

    async def _add_user(self, name: str, app: str, uid: int) -> None:
        """Make the user and its group, both with the number that the store gave."""
        number, home = str(uid), str(self.paths.app(app).data)
        who = ["--uid", number, "--gid", name, "--no-create-home", "--home-dir", home, "--comment", app]
        for argv, accepted in (
            (["groupadd", "--system", "--gid", number, name], (0, _GROUP_EXISTS)),
            (["useradd", "--system", "--shell", "/usr/sbin/nologin", *who, name], (0,)),
        ):
            done = await process.run(argv)
            if done.code not in accepted:
                raise TakoError(f"cannot make the user {name}: {done.err.decode(errors='replace').strip()}")

    async def remove_user(self, app: str) -> None:
        """Take the system user of a deployment away; quiet when there is none."""
        if not self.rootless:
            await process.run(["userdel", ids.app_user(app)])
            await process.run(["groupdel", ids.app_user(app)])  # userdel did, where login.defs says so

    def prepare_app(self, app: str, who: Identity) -> None:
        """Make a deployment's folders with their owners; what is there already is put right."""
        folders = self.paths.app(app)
        for path in (folders.root, folders.releases, folders.root / "shared", folders.lock):
            path.mkdir(parents=True, exist_ok=True)
            self._own(path, None if who.gid is None else 0, who.gid, 0o750)
        own = (folders.logs, folders.data, self.paths.caches / app, self.paths.temporary / app)
        for path in own:
            path.mkdir(parents=True, exist_ok=True)
            self._own(path, who.uid, who.gid, 0o700)
        (self.paths.logs / app).mkdir(parents=True, exist_ok=True)
        (self.paths.logs / app).chmod(0o750)

    @staticmethod
    def _own(path: Path, uid: int | None, gid: int | None, mode: int) -> None:
        if gid is not None:
            os.chown(path, -1 if uid is None else uid, gid)
        path.chmod(mode)

    def open_release(self, release: Path, who: Identity) -> None:
        """Let the app's user write in a release while its dependencies are installed."""
        if who.uid is not None and who.gid is not None:
            ownership.open_tree(release, who.uid, who.gid)

    def seal_release(self, release: Path, who: Identity) -> None:
        """Give a finished release to root: its group reads, nobody writes."""
        ownership.seal_tree(release, who.gid)

    def write_env(self, release: Path, version: str, who: Identity) -> None:
        """Write a release's `.env`; secrets join it in a later version."""
        path = release / ".env"
        files.write_atomic(path, f'TAKO_BUILD="{version}"\n'.encode(), 0o400 if who.gid is None else 0o440)
        if who.gid is not None:
            os.chown(path, 0, who.gid)

    def link_logs(self, release: Path) -> None:
        """Point a sealed release's `logs` to the folder that all releases share; raises TakoError."""
        link = release / "logs"
        if link.is_symlink():
            return
        if link.exists():
            raise TakoError(
                f"{release.name} has `logs` of its own, where the link to its log files must be",
                hint="have the app write to another folder, or leave it out with `exclude` in tako.toml",
            )
        link.symlink_to("../../shared/logs")

    def current(self, app: str) -> str:
        """Tell which release `current` points to, "" for none."""
        try:
            return self.paths.app(app).current.readlink().name
        except OSError:
            return ""

    def set_current(self, app: str, version: str) -> None:
        """Flip `current` to a release: one rename, never absent."""
        folders = self.paths.app(app)
        if self.current(app) == version:
            return
        beside = folders.root / f".current.{ids.token(4)}"
        beside.symlink_to(f"releases/{version}")
        beside.replace(folders.current)
        files.sync_directory(folders.root)

    def set_release_aside(self, app: str, version: str) -> Path:
        """Take one release's folder out of sight with one rename, so that its name is free for another at once."""
        return self._set_aside(self.paths.app(app).release(version))

    def set_releases_aside(self, app: str) -> Path:
        """Take the folder of all releases out of sight with one rename."""
        return self._set_aside(self.paths.app(app).releases)

    @staticmethod
    def _set_aside(path: Path) -> Path:
        aside = path.with_name(f".{path.name}.{ids.token(4)}")
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)
        return aside

    @staticmethod
    def remove_tree(path: Path) -> None:
        """Delete a folder; what cannot be deleted stays and is tried again when control starts."""
        try:
            shutil.rmtree(path, ignore_errors=True)
        except RecursionError as problem:  # an app may nest folders as deep as it likes
            log.error("tree.left", problem, path=str(path))

    def set_leftovers_aside(self, app: str, versions: Collection[str]) -> list[Path]:
        """Find what a crash left, folders among the releases whose name is no version, and give their new names."""
        folders = self.paths.app(app)
        inside = list(folders.releases.iterdir()) if folders.releases.is_dir() else []
        left = [self._set_aside(path) for path in inside if path.name not in versions]
        return [*left, *folders.root.glob(f".{folders.releases.name}.*")]

    def remove_app(self, app: str, *, purge: bool, stamp: str) -> tuple[Path | None, int]:
        """Delete a deployment's folders; its data moves to the trash unless `purge`.

        Gives the folder in the trash (None when there was no data, or it was purged) and its size in bytes.
        """
        folders = self.paths.app(app)
        kept: Path | None = None
        size = tree_size(folders.data)
        if not purge and folders.data.is_dir() and any(folders.data.iterdir()):
            self.paths.trash.mkdir(mode=0o700, exist_ok=True)
            kept = self.paths.trash / f"{app}-{stamp}"
            ownership.move_tree(folders.data, kept)
        paths = self.paths
        for path in (
            folders.root,
            *(kind / app for kind in (paths.logs, paths.uploads, paths.caches, paths.temporary)),
        ):
            self.remove_tree(path)
        return kept, size if kept else 0

    def free_bytes(self) -> int:
        """Tell how much the data directory's disk can still take."""
        return shutil.disk_usage(self.paths.root).free


def tree_size(path: Path) -> int:
    """Add up the sizes of the files below a folder; 0 when there is none, and for what goes meanwhile."""
    return sum(_file_size(Path(folder) / name) for folder, _, names in os.walk(path) for name in names)


def _file_size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
