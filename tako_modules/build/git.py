"""What git knows of a project folder: its commit, its files, and what differs from the commit."""

import os
from pathlib import Path

import msgspec

from tako_modules.base import process
from tako_modules.base.errors import TakoError

__all__ = ["Repository", "read_repository"]

_OF_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a working tree; paths are relative to the project.

    commit: short, "" before the first one; files: tracked ones and untracked ones that are not ignored; changed: those
    that differ from the commit, deleted and untracked ones too; tracked: which of them git has.
    """

    commit: str
    files: tuple[str, ...]
    tracked: frozenset[str]
    changed: tuple[str, ...]


async def read_repository(folder: Path) -> Repository | None:
    """Ask git; None outside of any repository, and inside one that ignores this folder."""
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    tracked = await _names(folder, "ls-files", "-z", "--cached", "--recurse-submodules")
    others = await _names(folder, "ls-files", "-z", "--others", "--exclude-standard")
    if not tracked and not others:
        return None
    head = await process.run(("git", "rev-parse", "--short=7", "--verify", "--quiet", "HEAD"), cwd=folder, env=_env())
    commit = head.out.decode().strip() if head.code == 0 else ""
    prefix = (await _git(folder, "rev-parse", "--show-prefix")).decode(errors="surrogateescape").strip("\n")
    status = await _names(folder, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", ".")
    return Repository(
        commit=commit,
        files=tuple(sorted({*tracked, *others})),
        tracked=frozenset(tracked),
        changed=tuple(sorted(line[3:].removeprefix(prefix) for line in status)),
    )


async def _names(folder: Path, *words: str) -> list[str]:
    output = await _git(folder, *words)
    return [name.decode(errors="surrogateescape") for name in output.split(b"\0") if name]


async def _git(folder: Path, *words: str) -> bytes:
    done = await process.run(("git", *words), cwd=folder, env=_env())
    if done.code:
        reason = done.err.decode(errors="replace").strip().splitlines()
        raise TakoError(f"git {words[0]} failed: {reason[0] if reason else done.code}", hint="\n".join(reason[1:]))
    return done.out


def _env() -> dict[str, str]:
    """Keep git from writing (locks of `status`), and from the repository of a hook that may have started us."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_HOOKS}
    return {**inherited, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
