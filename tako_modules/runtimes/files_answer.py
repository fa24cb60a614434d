"""Which answer a request for a file of a site gets: paths, conditions (RFC 9110 §13), ranges (§14), types."""

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

__all__ = ["Answer", "Asked", "answer", "refusal"]

CACHE_CONTROL = "public, max-age=0, must-revalidate"  # a deploy shows at once; what did not change costs a 304
CONTENT_TYPES = {
    ".avif": "image/avif",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".gif": "image/gif",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml; charset=utf-8",
    ".zip": "application/zip",
}
_REASONS = {
    200: "OK",
    206: "Partial Content",
    304: "Not Modified",
    308: "Permanent Redirect",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    416: "Range Not Satisfiable",
    431: "Request Header Fields Too Large",
    505: "HTTP Version Not Supported",
}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_HASHED_LIMIT = 1 << 20  # bytes of a file whose tag is its digest: hashing it costs no more than sending it
_TAGS_LIMIT = 4096  # tags remembered
_SHOWN_DOT = ".well-known"  # RFC 8615


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: method, target as it was sent, headers by lower-case name."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its head, a short body or a part of a file; who sends it closes the descriptor."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    descriptor: int = -1
    start: int = 0
    length: int = 0

    def head(self, *, close: bool) -> bytes:
        """Write status line and headers."""
        lines = [f"HTTP/1.1 {self.status} {_REASONS[self.status]}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append(f"Date: {formatdate(usegmt=True)}")
        if self.status != 304:
            lines.append(f"Content-Length: {self.length if self.descriptor >= 0 else len(self.body)}")
        if close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(frozen=True, slots=True)
class _File:
    descriptor: int
    size: int
    modified: float
    tag: str
    kind: str


_tags: dict[tuple[int, int, int], str] = {}


def refusal(status: int, *extra: tuple[str, str]) -> Answer:
    """Answer with a status and its words."""
    headers = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", CACHE_CONTROL), *extra)
    return Answer(status, headers, f"{_REASONS[status]}\n".encode())


def answer(root: Path, asked: Asked) -> Answer:
    """Find the answer to a request; root: the site's folder, resolved."""
    if asked.method not in ("GET", "HEAD"):
        return refusal(405, ("Allow", "GET, HEAD"))
    path, question, query = asked.target.partition("?")
    parts = _parts(path)
    if parts is None:
        return _missing(root)
    found = root.joinpath(*parts)
    if path.endswith("/"):
        found /= "index.html"
    elif _is_folder(root, found):
        # no part is empty, so this never begins with two slashes, which would lead to another host
        place = "/" + "".join(f"{quote(part, safe=_PATH_SAFE)}/" for part in parts)
        return refusal(308, ("Location", place + question + query))
    file = _open(root, found)
    return _missing(root) if file is None else _send(asked, file)


_PATH_SAFE = "!$&'()*+,;=:@~"  # what RFC 3986 §3.3 allows in a path as it is


def _parts(path: str) -> tuple[str, ...] | None:
    """Decode a path part by part; None when it names nothing that is shown."""
    if not path.startswith("/"):
        return None
    parts = []
    for raw in path.strip("/").split("/") if path != "/" else ():
        try:
            part = unquote_to_bytes(raw).decode()
        except UnicodeDecodeError:
            return None
        hidden = part.startswith(".") and part != _SHOWN_DOT
        if not part or hidden or "/" in part or "\0" in part:
            return None
        parts.append(part)
    plain = path == "/" + path.strip("/") + ("/" if path.endswith("/") and parts else "")
    return tuple(parts) if plain else None


def _inside(root: Path, path: Path) -> str:
    """Follow links; "" when they lead out of the site or to what is hidden."""
    try:
        real = os.path.realpath(path, strict=True)
    except (OSError, ValueError):
        return ""
    below = os.path.relpath(real, root)
    if below == ".":
        return real
    return "" if any(part.startswith(".") and part != _SHOWN_DOT for part in below.split("/")) else real


def _is_folder(root: Path, path: Path) -> bool:
    real = _inside(root, path)
    return bool(real) and Path(real).is_dir()


def _open(root: Path, path: Path) -> _File | None:
    real = _inside(root, path)
    try:
        if not real or not stat.S_ISREG(os.lstat(real).st_mode):
            return None
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(descriptor)
    kind = CONTENT_TYPES.get(Path(real).suffix.lower(), "application/octet-stream")
    return _File(descriptor, status.st_size, status.st_mtime, _tag(descriptor, status), kind)


def _tag(descriptor: int, status: os.stat_result) -> str:
    """Tag a file by its content where that is cheap, so that a release that does not change it keeps caches warm."""
    if status.st_size > _HASHED_LIMIT:
        return f'"{status.st_size:x}-{status.st_mtime_ns:x}"'
    key = (status.st_ino, status.st_mtime_ns, status.st_size)
    if key not in _tags:
        while len(_tags) >= _TAGS_LIMIT:
            del _tags[next(iter(_tags))]
        _tags[key] = f'"{hashlib.sha256(os.pread(descriptor, status.st_size, 0)).hexdigest()[:32]}"'
    return _tags[key]


def _missing(root: Path) -> Answer:
    page = _open(root, root / "404.html")
    if page is None:
        return refusal(404)
    headers = (("Content-Type", page.kind), ("Cache-Control", CACHE_CONTROL), ("X-Content-Type-Options", "nosniff"))
    return Answer(404, headers, descriptor=page.descriptor, length=page.size)


def _send(asked: Asked, file: _File) -> Answer:
    headers: tuple[tuple[str, str], ...] = (
        ("ETag", file.tag),
        ("Last-Modified", formatdate(file.modified, usegmt=True)),
        ("Cache-Control", CACHE_CONTROL),
    )
    if _is_fresh(asked, file):
        os.close(file.descriptor)
        return Answer(304, headers)
    headers += (("Content-Type", file.kind), ("Accept-Ranges", "bytes"), ("X-Content-Type-Options", "nosniff"))
    part = _range(asked, file)
    if part is None:
        return Answer(200, headers, descriptor=file.descriptor, length=file.size)
    start, end = part
    if start >= end:
        os.close(file.descriptor)
        return refusal(416, ("Content-Range", f"bytes */{file.size}"))
    headers += (("Content-Range", f"bytes {start}-{end - 1}/{file.size}"),)
    return Answer(206, headers, descriptor=file.descriptor, start=start, length=end - start)


def _is_fresh(asked: Asked, file: _File) -> bool:
    """Tell whether the client's copy is the file; If-None-Match beats If-Modified-Since (§13.2.2)."""
    tags = asked.headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or file.tag in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    since = _seconds(asked.headers.get("if-modified-since", ""))
    return since is not None and int(file.modified) <= since


def _range(asked: Asked, file: _File) -> tuple[int, int] | None:
    """Give the first byte asked for and the one after the last; None for the whole file, equal when there is none."""
    found = _RANGE.fullmatch(asked.headers.get("range", "").strip())
    if asked.method != "GET" or not found or not (found[1] or found[2]) or not _range_holds(asked, file):
        return None
    if not found[1]:
        return max(0, file.size - int(found[2])), file.size
    start = int(found[1])
    end = int(found[2]) + 1 if found[2] else file.size
    if end <= start and found[2]:
        return None  # a last byte before the first: not a range (§14.1.2)
    return min(start, file.size), min(end, file.size)


def _range_holds(asked: Asked, file: _File) -> bool:
    """Check If-Range: a part is only of use to whom the whole is the same (§13.1.5)."""
    condition = asked.headers.get("if-range", "").strip()
    if not condition:
        return True
    if condition.startswith(('"', "W/")):
        return condition == file.tag
    return _seconds(condition) == int(file.modified)


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
