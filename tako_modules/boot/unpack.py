"""The cold path: make a runtime directory out of the file's nested zips, and collect the ones nobody uses."""

import atexit
import contextlib
import fcntl
import io
import os
import shutil
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator

from . import roots
from .stamp import BUILD
from .start import refuse

UNUSED_SECONDS = 30 * 86400.0  # a build that nobody started for this long may go
KEPT = 9  # runtimes beside the one that starts: whoever builds often fills a disk at 55 MB each
LEFT_SECONDS = 3600.0  # a killed start leaves its directory behind; no start takes this long
PART = ".tmp-tako-"  # how a directory is called before it is whole
NOEXEC = getattr(os, "ST_NOEXEC", 0)  # macOS does not tell
TAG_FILE = "CACHEDIR.TAG"
TAG_TEXT = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n# unpacked runtimes of tako; each can be removed at any time\n"
)
NO_PLACE = (
    "there is no directory to unpack the runtime into:\n  {reasons}\n"
    "set TAKO_CACHE to a directory of your own on a file system that lets programs run"
)


class Unusable(Exception):
    """A root cannot take a runtime; the text says why."""


def runtime(archive: str, name: str, members: Iterable[str]) -> str:
    """Unpack into the first root that can take it, else into a directory for this process alone."""
    reasons = []
    for root in roots.candidates(archive):
        if root == roots.beside(archive) and not os.path.lexists(root):
            continue
        try:
            return make(root, archive, name, members)
        except Unusable as error:
            reasons.append(f"{root}: {error}")
    if os.environ.get("TAKO_CACHE") or sys.argv[1:2] in (["__warm__"], ["__prepare__"]):
        refuse(NO_PLACE.format(reasons="\n  ".join(reasons)))
    return _for_this_process(archive, name, members, reasons)


def make(root: str, archive: str, name: str, members: Iterable[str]) -> str:
    """Make `root/name`, or take what another start made meanwhile; raises Unusable."""
    umask = os.umask(0o022)
    part = ""
    try:
        _open(root, made_by_us=root != roots.beside(archive))
        part = tempfile.mkdtemp(prefix=PART, dir=root)
        unpack(archive, members, part)
        _place(part, root, name)
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from error
    finally:
        os.umask(umask)
        if part:
            shutil.rmtree(part, ignore_errors=True)
    collect(root, keep=name)
    return f"{root}/{name}"


def unpack(archive: str, members: Iterable[str], into: str) -> None:
    """Write the nested zips' entries below a directory that is empty and ours; raises BadZipFile."""
    made = {into}
    try:
        with zipfile.ZipFile(archive) as outer:
            if f'BUILD = "{BUILD}"'.encode() not in outer.read("_bootstrap/stamp.py"):
                raise zipfile.BadZipFile("it was replaced while it started")
            for member in members:
                _unpack_member(outer.read(f"site-packages/p/{member}"), into, made)
    except (KeyError, EOFError, zlib.error) as error:
        raise zipfile.BadZipFile(str(error)) from error


def collect(root: str, keep: str) -> None:
    """Remove what killed starts left, and runtimes that are many or long unused, unless somebody holds them."""
    now = time.time()
    parts, runtimes = [], []
    for entry in _listing(root):
        if entry.name.startswith(PART):
            parts.append((_age(entry, now), entry.path))
        elif entry.name != keep and os.path.isdir(f"{entry.path}/tako_modules"):
            runtimes.append((_age(entry, now), entry.path))
    runtimes.sort()
    old = [path for age, path in parts + runtimes[KEPT:] if age > LEFT_SECONDS]
    old += [path for age, path in runtimes[:KEPT] if age > UNUSED_SECONDS]
    for path in old:
        _remove_unheld(root, path)


def _place(part: str, root: str, name: str) -> None:
    path = f"{root}/{name}"
    # what root made readable for everybody is an installation for everybody
    shared = os.geteuid() == 0 and os.lstat(root).st_mode & 0o005 == 0o005
    os.chmod(part, 0o755 if shared else 0o700)
    try:
        os.rename(part, path)
    except OSError:  # another start was faster: its runtime is as good
        if not os.path.lexists(path):
            raise
    if not roots.hold(path):
        raise Unusable(f"{path} belongs to somebody else, or others can write to it")


def _unpack_member(data: bytes, into: str, made: set[str]) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as inner:
        for entry in inner.infolist():
            _write(f"{into}/{entry.filename}", inner.read(entry), made)


def _write(path: str, data: bytes, made: set[str]) -> None:
    folder = os.path.dirname(path)
    if folder not in made:
        os.makedirs(folder, 0o755, exist_ok=True)
        made.add(folder)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    with open(descriptor, "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) or 0 :]


def _open(root: str, *, made_by_us: bool) -> None:
    if made_by_us and not os.path.lexists(root):
        _check_parent(root)
        os.makedirs(root, 0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError), open(f"{root}/{TAG_FILE}", "xb") as file:
            file.write(TAG_TEXT)
    os.lstat(root)
    if not roots.trusted(root):
        raise Unusable("it belongs to somebody else, others can write to it, or it is a link")
    if os.statvfs(root).f_flag & NOEXEC:
        raise Unusable("its file system lets no program run (noexec)")


def _check_parent(path: str) -> None:
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    status = os.stat(path)
    sticky = status.st_mode & 0o1000
    if status.st_uid not in {0, os.geteuid()} or (status.st_mode & 0o022 and not sticky):
        raise Unusable(f"{path} belongs to somebody else, or others can write to it")


def _listing(root: str) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(root) as entries:
            yield from list(entries)
    except OSError:  # what cannot be listed is not collected
        return


def _age(entry: "os.DirEntry[str]", now: float) -> float:
    try:
        return now - entry.stat(follow_symlinks=False).st_mtime
    except OSError:  # somebody else collected it
        return 0.0


def _remove_unheld(root: str, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        gone = f"{root}/{PART}{os.path.basename(path)}-{os.getpid()}"
        os.rename(path, gone)  # first out of the way: a start that waits for the lock sees that it is gone
        shutil.rmtree(gone, ignore_errors=True)
    except OSError:  # in use, or not ours to remove
        return
    finally:
        os.close(descriptor)


def _for_this_process(archive: str, name: str, members: Iterable[str], reasons: list[str]) -> str:
    try:
        root = tempfile.mkdtemp(prefix="tako-")
    except OSError as error:
        refuse(NO_PLACE.format(reasons="\n  ".join([*reasons, f"{tempfile.gettempdir()}: {error.strerror}"])))
    owner = os.getpid()
    atexit.register(_forget, root, owner)
    try:
        found = make(root, archive, name, members)
    except Unusable as error:
        shutil.rmtree(root, ignore_errors=True)
        refuse(NO_PLACE.format(reasons="\n  ".join([*reasons, f"{root}: {error}"])))
    sys.stderr.write(
        f"tako: warning: nowhere to keep the unpacked runtime ({'; '.join(reasons) or 'no home directory'}); "
        "each start unpacks it again: set TAKO_CACHE to a directory of your own\n"
    )
    return found


def _forget(root: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked child ends without taking its parent's runtime away
        shutil.rmtree(root, ignore_errors=True)
