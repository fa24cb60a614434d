"""Which files the builds of a project made: written down as soon as a build ends, however it ends."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from tako_modules.base.errors import TakoError
from tako_modules.base.files import disk_errors, file_digest
from tako_modules.workspace.state import State

from .run import run_build
from .source import Rules
from .tree import Tree, changed, walk

__all__ = ["Built", "build", "output_digest"]

_RECORD_SECONDS = 10.0  # for the record of a build that failed or was stopped: somebody waits for the prompt


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """The files after a build, and those of them that it or an earlier one made: path → SHA-256 when made."""

    tree: Tree
    outputs: dict[str, str]


async def build(
    command: str, folder: Path, rules: Rules, report: Callable[[str], None], *, repeats: bool = True
) -> Built:
    """Run the build command, "" for none; what it made is recorded, also when it fails or is cancelled.

    Else a second run, which finds it done, would not ship it. report, repeats: as `run_build` has them.
    """
    before = await anyio.to_thread.run_sync(walk, folder, rules.enters)
    if not command:
        return await anyio.to_thread.run_sync(_record, folder, rules, before, before)
    try:
        await run_build(command, folder, report, repeats=repeats)
    except BaseException:
        with anyio.move_on_after(_RECORD_SECONDS, shield=True), suppress(TakoError):
            await anyio.to_thread.run_sync(_look, folder, rules, before, abandon_on_cancel=True)
        raise
    return await anyio.to_thread.run_sync(_look, folder, rules, before)


def output_digest(folder: Path, path: str) -> str:
    """Hash a file's bytes, or what a link holds."""
    file = folder / path
    with disk_errors(f"read {path}"):
        if file.is_symlink():
            return hashlib.sha256(os.fsencode(file.readlink())).hexdigest()
        return file_digest(file)


def _look(folder: Path, rules: Rules, before: Tree) -> Built:
    return _record(folder, rules, before, walk(folder, rules.enters))


def _record(folder: Path, rules: Rules, before: Tree, after: Tree) -> Built:
    """Join what changed between two walks with what is recorded and still there, and write that down."""
    state = State(folder)
    kept = {path: digest for path, digest in state.read_outputs().items() if path in after.files}
    made = {path: output_digest(folder, path) for path in changed(before, after) if rules.ships(path)}
    outputs = {**kept, **made}
    state.write_outputs(outputs)
    return Built(tree=after, outputs=outputs)
