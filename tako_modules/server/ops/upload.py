"""upload: an artifact arrives, is verified, unpacked beside and renamed into place."""

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO

import anyio

from tako_modules.base import files, ids
from tako_modules.base.errors import Refused
from tako_modules.build import unpack
from tako_modules.mgmt.server import Call
from tako_modules.model.release import Release
from tako_modules.plan import space
from tako_modules.protocol.messages import Upload
from tako_modules.protocol.replies import SendEvent, UploadData

from ..control import Control, check_id
from ..registry import Entry

__all__ = ["answer"]

LARGEST_ARTIFACT = 4 << 30  # bytes: what may be unpacked of it is bounded by the same
_DIGEST = re.compile(r"[0-9a-f]{64}")


async def answer(request: Upload, call: Call, control: Control) -> UploadData:
    """Receive what is missing of an artifact and make a release folder of it; raises TakoError."""
    _check(request)
    control.leases.check(request.app, request.fence)
    release = control.host.paths.app(request.app).release(request.version)
    entry = control.adopt(request.app)
    if _is_known(request, entry, release):
        return UploadData(path=str(release), known=True)
    _check_disk(request, control)
    folder = control.host.paths.uploads / request.app
    partial = folder / f"{request.version}-{request.sha256[:16]}.part"
    with files.disk_errors("store the upload"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        received = await _receive(request, call, partial)
        control.leases.check(request.app, request.fence)
        await anyio.to_thread.run_sync(_verify, request, partial)
    who = await control.host.ensure_user(request.app, entry.deployment.uid)
    with files.disk_errors("make the app's folders"):
        await anyio.to_thread.run_sync(control.host.prepare_app, request.app, who)
    await _place(request, partial, control)
    made = Release(
        app=request.app,
        version=request.version,
        created_at=control.clock.now(),
        size=request.size,
        sha256=request.sha256,
    )
    control.ledger.save_release(entry, made)
    with files.disk_errors("remove the upload"):
        partial.unlink(missing_ok=True)
    return UploadData(path=str(release), received=received)


def _is_known(request: Upload, entry: Entry, release: Path) -> bool:
    """Tell whether the very artifact is here; another one under its name is replaced only if it never served."""
    found = entry.releases.get(request.version)
    if found is None or not release.is_dir():
        return False
    if found.sha256 == request.sha256:
        return True
    if found.served or any(one.version == request.version for one in entry.instances.values()):
        raise Refused(
            f"{request.version} is on this server already, with other files",
            code="conflict",
            hint="commit or change something, so that the build gets another name, and run `tako deploy` again",
        )
    return False


def _check(request: Upload) -> None:
    check_id(request.app)
    if not ids.VERSION.fullmatch(request.version):
        raise Refused(f"{request.version!r} is not a version", code="invalid", hint="run `tako deploy` again")
    if not _DIGEST.fullmatch(request.sha256) or not 0 < request.size <= LARGEST_ARTIFACT:
        raise Refused("the artifact's size or digest cannot be", code="invalid", hint="run `tako deploy` again")


def _check_disk(request: Upload, control: Control) -> None:
    required, free = space.required(request.size), control.host.free_bytes()
    if free < required:
        raise Refused(
            f"the server's disk is full: {required >> 20} MiB are required under {control.options.data_dir}, "
            f"{free >> 20} MiB are free",
            code="disk_full",
            hint=f"free space on the server (look with `df -h {control.options.data_dir}`), then run `tako deploy`",
        )


async def _receive(request: Upload, call: Call, partial: Path) -> int:
    """Append the frames to the partial file, from where an earlier upload stopped; gives the bytes received."""
    received = 0
    with _open(partial) as file:
        offset = file.seek(0, os.SEEK_END)
        if offset > request.size:
            offset = file.truncate(0)
            file.seek(0)
        await call.event(SendEvent(offset=offset))
        async for piece in call.frames():
            received += len(piece)
            if offset + received > request.size:
                raise Refused("the upload is longer than it said", code="invalid", hint="run `tako deploy` again")
            await anyio.to_thread.run_sync(_write, file.fileno(), piece)
    if offset + received != request.size:
        raise Refused(
            f"the upload ended after {offset + received} of {request.size} bytes",
            code="upload_cut",
            hint="run `tako deploy` again: it goes on where it stopped",
        )
    return received


def _open(partial: Path) -> BinaryIO:
    return open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb")


def _write(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]


def _verify(request: Upload, partial: Path) -> None:
    with open(partial, "rb") as file:
        digest = hashlib.file_digest(file, hashlib.sha256).hexdigest()
    if digest != request.sha256:
        partial.unlink()
        raise Refused(
            "the upload arrived damaged (its digest differs), and was thrown away",
            code="damaged",
            hint="run `tako deploy` again",
        )


async def _place(request: Upload, partial: Path, control: Control) -> None:
    """Unpack beside and rename; the last look at the lease and the rename are one step: unpacking takes its time."""
    release = control.host.paths.app(request.app).release(request.version)
    beside = release.with_name(f".{release.name}.{ids.token(4)}")
    left = beside
    try:
        await anyio.to_thread.run_sync(_unpack, partial, beside)
        control.leases.check(request.app, request.fence)
        with files.disk_errors("put the release in its place"):
            left = control.host.set_release_aside(request.app, request.version)  # one that never served, or a crash's
            beside.rename(release)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(control.host.remove_tree, beside)
            await anyio.to_thread.run_sync(control.host.remove_tree, left)


def _unpack(partial: Path, beside: Path) -> None:
    with files.disk_errors("unpack the artifact"):
        unpack.unpack(partial, beside)
