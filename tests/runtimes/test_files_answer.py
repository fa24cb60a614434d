"""What a site answers: paths, conditions, ranges, types."""

import os
from email.utils import formatdate
from pathlib import Path

import pytest

from tako_modules.runtimes.files_answer import CACHE_CONTROL, Answer, Asked, answer

SECRET = b"secret"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_bytes(SECRET)
    (tmp_path / "outside.txt").write_bytes(SECRET)
    root = tmp_path / "site"
    files = {
        "index.html": b"<h1>home</h1>",
        "app.js": b"0123456789",
        "docs/index.html": b"docs",
        "a b/ü+%.txt": b"odd",
        "empty.css": b"",
        "data.unknown": b"bytes",
        "404.html": b"<h1>gone</h1>",
        ".hidden": SECRET,
        ".git/config": SECRET,
        "docs/.secret/x.txt": SECRET,
        ".well-known/security.txt": b"mail us",
        "UPPER.HTML": b"up",
        "noindex/x.txt": b"x",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "inner.txt").symlink_to("app.js")
    (root / "escape.txt").symlink_to("../outside.txt")
    (root / "up").symlink_to("..")
    (root / "shown.txt").symlink_to(".hidden")
    (root / "circle").symlink_to("circle")
    os.mkfifo(root / "pipe")
    os.utime(root / "app.js", (1_700_000_000, 1_700_000_000))
    return root.resolve()


def ask(site: Path, target: str, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[Answer, bytes]:
    given = answer(site, Asked(method, target, headers or {}))
    if given.descriptor < 0:
        return given, given.body
    content = os.pread(given.descriptor, given.length, given.start)
    os.close(given.descriptor)
    return given, content


def header(given: Answer, name: str) -> str:
    return dict(given.headers).get(name, "")


FOUND = {
    "/": (b"<h1>home</h1>", "text/html; charset=utf-8"),
    "/index.html": (b"<h1>home</h1>", "text/html; charset=utf-8"),
    "/app.js": (b"0123456789", "text/javascript; charset=utf-8"),
    "/app.js?v=1": (b"0123456789", "text/javascript; charset=utf-8"),
    "/%61pp.js": (b"0123456789", "text/javascript; charset=utf-8"),
    "/docs/": (b"docs", "text/html; charset=utf-8"),
    "/docs/?q": (b"docs", "text/html; charset=utf-8"),
    "/a%20b/%C3%BC+%25.txt": (b"odd", "text/plain; charset=utf-8"),
    "/empty.css": (b"", "text/css; charset=utf-8"),
    "/data.unknown": (b"bytes", "application/octet-stream"),
    "/inner.txt": (b"0123456789", "text/javascript; charset=utf-8"),
    "/.well-known/security.txt": (b"mail us", "text/plain; charset=utf-8"),
    "/UPPER.HTML": (b"up", "text/html; charset=utf-8"),
}


@pytest.mark.parametrize(("target", "expected"), FOUND.items(), ids=FOUND.keys())
def test_a_file_is_found(site: Path, target: str, expected: tuple[bytes, str]) -> None:
    given, content = ask(site, target)
    assert (given.status, content, header(given, "Content-Type")) == (200, *expected)
    assert header(given, "Cache-Control") == CACHE_CONTROL
    assert header(given, "ETag").startswith('"')


HIDDEN = [
    *("/gone", "/gone/", "/app.js/", "/noindex/", "//app.js", "/docs//index.html", "//", "/docs//", "app.js", "*"),
    *("/.hidden", "/.git/config", "/docs/.secret/x.txt", "/%2ehidden", "/shown.txt"),
    *("/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt", "/docs/../app.js", "/./app.js", "/docs/..", "/.."),
    *("/escape.txt", "/up/outside.txt", "/up/.env", "/up", "/up/", "/circle", "/pipe", "/pipe/"),
    *("/app.js%00", "/%00", "/%ff", "/docs%2findex.html", "/%2e", "/" + "a" * 300, "/" + "a/" * 3000),
]


@pytest.mark.parametrize("target", HIDDEN, ids=[target[:30] for target in HIDDEN])
def test_everything_else_is_not_found(site: Path, target: str) -> None:
    given, content = ask(site, target)
    assert given.status == 404
    assert content == b"<h1>gone</h1>"


def test_without_a_page_of_its_own_a_404_has_words(site: Path) -> None:
    (site / "404.html").unlink()
    given, content = ask(site, "/gone")
    assert (given.status, content) == (404, b"Not Found\n")


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("/docs", "/docs/"),
        ("/docs?a=b", "/docs/?a=b"),
        ("/a%20b", "/a%20b/"),
        ("/docs%0d%0aX:", ""),
        ("//docs", ""),
        ("//example.com", ""),
    ],
)
def test_a_folder_gets_its_slash(site: Path, target: str, place: str) -> None:
    given, _ = ask(site, target)
    assert (given.status, header(given, "Location")) == ((308, place) if place else (404, ""))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "PROPFIND"])
def test_other_methods_are_refused(site: Path, method: str) -> None:
    given, _ = ask(site, "/", method)
    assert (given.status, header(given, "Allow")) == (405, "GET, HEAD")


def test_head_is_get_without_the_body(site: Path) -> None:
    given, _ = ask(site, "/app.js", "HEAD", {"range": "bytes=0-1"})
    assert (given.status, given.length) == (200, 10)


MODIFIED = formatdate(1_700_000_000, usegmt=True)
EARLIER = formatdate(1_699_999_999, usegmt=True)


def test_a_tag_is_of_the_content(site: Path) -> None:
    before = header(ask(site, "/app.js")[0], "ETag")
    (site / "copy.js").write_bytes(b"0123456789")
    (site / "other.js").write_bytes(b"9876543210")
    assert header(ask(site, "/copy.js")[0], "ETag") == before
    assert header(ask(site, "/other.js")[0], "ETag") != before


def test_a_large_file_has_a_tag_too(site: Path) -> None:
    (site / "large.bin").write_bytes(b"x" * ((1 << 20) + 1))
    tag = header(ask(site, "/large.bin")[0], "ETag")
    assert ask(site, "/large.bin", headers={"if-none-match": tag})[0].status == 304


FRESH = [
    ({"if-none-match": "TAG"}, 304),
    ({"if-none-match": '"x", W/TAG'}, 304),
    ({"if-none-match": "*"}, 304),
    ({"if-none-match": '"x"'}, 200),
    ({"if-none-match": '"x"', "if-modified-since": MODIFIED}, 200),
    ({"if-modified-since": MODIFIED}, 304),
    ({"if-modified-since": EARLIER}, 200),
    ({"if-modified-since": "yesterday"}, 200),
    ({"if-modified-since": ""}, 200),
    ({"if-none-match": "TAG", "range": "bytes=0-1"}, 304),
]


@pytest.mark.parametrize(("headers", "status"), FRESH, ids=[str(headers) for headers, _ in FRESH])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_copy_that_is_fresh_is_not_sent(site: Path, headers: dict[str, str], status: int, method: str) -> None:
    tag = header(ask(site, "/app.js")[0], "ETag")
    given, _ = ask(site, "/app.js", method, {name: value.replace("TAG", tag) for name, value in headers.items()})
    assert given.status == status
    assert (b"Content-Length" in given.head(close=False)) == (status == 200)
    assert header(given, "ETag") == tag


RANGES = {
    "bytes=0-3": (206, b"0123", "bytes 0-3/10"),
    "bytes=4-": (206, b"456789", "bytes 4-9/10"),
    "bytes=-3": (206, b"789", "bytes 7-9/10"),
    "bytes=-99": (206, b"0123456789", "bytes 0-9/10"),
    "bytes=8-99": (206, b"89", "bytes 8-9/10"),
    "bytes=9-9": (206, b"9", "bytes 9-9/10"),
    "bytes=10-": (416, b"Range Not Satisfiable\n", "bytes */10"),
    "bytes=10-12": (416, b"Range Not Satisfiable\n", "bytes */10"),
    "bytes=-0": (416, b"Range Not Satisfiable\n", "bytes */10"),
    "bytes=3-1": (200, b"0123456789", ""),
    "bytes=0-1,4-5": (200, b"0123456789", ""),
    "bytes=-": (200, b"0123456789", ""),
    "bytes=a-b": (200, b"0123456789", ""),
    "items=0-1": (200, b"0123456789", ""),
    f"bytes={'9' * 40}-": (200, b"0123456789", ""),
}


@pytest.mark.parametrize(("asked", "expected"), RANGES.items(), ids=RANGES.keys())
def test_one_range(site: Path, asked: str, expected: tuple[int, bytes, str]) -> None:
    given, content = ask(site, "/app.js", headers={"range": asked})
    assert (given.status, content, header(given, "Content-Range")) == expected


def test_a_range_of_nothing_is_not_satisfiable(site: Path) -> None:
    assert ask(site, "/empty.css", headers={"range": "bytes=0-"})[0].status == 416


@pytest.mark.parametrize(
    ("condition", "status"),
    [("TAG", 206), ('"x"', 200), ("W/TAG", 200), (MODIFIED, 206), (EARLIER, 200), ("soon", 200)],
)
def test_a_range_of_another_file_is_the_whole(site: Path, condition: str, status: int) -> None:
    tag = header(ask(site, "/app.js")[0], "ETag")
    given, _ = ask(site, "/app.js", headers={"range": "bytes=0-1", "if-range": condition.replace("TAG", tag)})
    assert given.status == status
