"""Names inside an archive: whole, relative, unambiguous on every file system; where its links lead."""

import unicodedata
from collections.abc import Mapping

from tako_modules.base.errors import TakoError

__all__ = ["Names", "check_links", "split_path"]

_PATH_LIMIT, _PART_LIMIT = 4096, 255  # bytes that Linux takes
_HOPS = 40  # links followed on one way, as the kernel does
_LOGS = "logs"
_LOGS_HINT = "logs is where the link to a release's logs stands: rename the folder, or name it in .takoignore"


def split_path(path: str) -> tuple[str, ...]:
    """Take a relative path apart; raises TakoError when it is absolute, too long, or has `..`, `.` or empty parts."""
    parts = tuple(path.split("/"))
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise TakoError(f"the archive has the path {path!r}, which is not a plain relative one")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError as error:
        raise TakoError(f"the archive has the path {path!r}, which is not UTF-8", hint="rename the file") from error
    if max(sizes) > _PART_LIMIT or sum(sizes) + len(sizes) > _PATH_LIMIT:
        raise TakoError(f"the archive has a path that is too long: {path[:80]}…", hint="shorten it")
    if parts[0] == _LOGS:
        raise TakoError(f"the app brings its own {path}", hint=_LOGS_HINT)
    return parts


class Names:
    """All names of one archive; a name is taken once, whatever its case and Unicode form."""

    def __init__(self) -> None:
        self._taken: dict[str, tuple[str, bool]] = {}

    def add(self, parts: tuple[str, ...], *, folder: bool = False) -> None:
        """Take a name and the folders around it; raises TakoError when it is there already, or as something else."""
        for depth in range(1, len(parts)):
            self._take("/".join(parts[:depth]), folder=True)
        self._take("/".join(parts), folder=folder)

    def _take(self, path: str, *, folder: bool) -> None:
        folded = unicodedata.normalize("NFC", path).casefold()
        other, other_is_folder = self._taken.get(folded, ("", False))
        if not other:
            self._taken[folded] = (path, folder)
        elif other != path:
            raise TakoError(f"{other} and {path} differ only in case", hint="rename one of them")
        elif not (folder and other_is_folder):
            raise TakoError(f"the archive has {path} twice")


def check_links(links: Mapping[str, str]) -> None:
    """Raise TakoError when a link (path → target) leads out of the archive, through whatever other links."""
    for path in links:
        _follow(path, links)


def _follow(path: str, links: Mapping[str, str]) -> None:
    reached: list[str] = []
    ahead = path.split("/")
    hops = 0
    while ahead:
        part = ahead.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            if not reached:
                raise _leaves(path, links)
            reached.pop()
            continue
        reached.append(part)
        target = links.get("/".join(reached))
        if target is None:
            continue
        hops += 1
        if target.startswith("/") or hops > _HOPS:
            raise _leaves(path, links)
        reached.pop()
        ahead = target.split("/") + ahead


def _leaves(path: str, links: Mapping[str, str]) -> TakoError:
    hint = "make the link relative and within the project, or name it in .takoignore"
    return TakoError(f"the link {path} -> {links[path]} leads out of the release, or in a circle", hint=hint)
