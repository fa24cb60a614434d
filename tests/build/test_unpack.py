"""Unpacking trusts nothing: what is refused, what is kept, what is left behind."""

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tako_modules.base.errors import TakoError
from tako_modules.build.archive import pack
from tako_modules.build.limits import Limits
from tako_modules.build.source import read_entries
from tako_modules.build.unpack import Unpacked, unpack

Member = tuple[tarfile.TarInfo, bytes]


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, *, mode: int = 0o644, linkname: str = ""
) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content)
    info.mode, info.linkname = mode, linkname
    info.uid, info.gid, info.uname, info.mtime = 1234, 1234, "somebody", 1
    return info, content


def link(name: str, target: str) -> Member:
    return member(name, kind=tarfile.SYMTYPE, linkname=target)


def archive(folder: Path, *members: Member, form: int = tarfile.PAX_FORMAT) -> Path:
    path = folder / "given.tar.gz"
    with tarfile.open(path, "w:gz", format=form) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return path


def unpacked(folder: Path, *members: Member, form: int = tarfile.PAX_FORMAT, limits: Limits | None = None) -> Path:
    unpack(archive(folder, *members, form=form), folder / "out", limits=limits or Limits())
    return folder / "out"


LONG = "/".join(["d" * 100] * 5) + "/file"

KEPT: dict[str, tuple[list[Member], dict[str, str]]] = {
    "file": ([member("a", b"1")], {"a": "file 644 1"}),
    "program": ([member("a", b"1", mode=0o755)], {"a": "file 755 1"}),
    "empty": ([member("a")], {"a": "file 644 "}),
    "deep": ([member("a/b/c", b"1")], {"a": "folder 755", "a/b": "folder 755", "a/b/c": "file 644 1"}),
    "folder": ([member("a/", kind=tarfile.DIRTYPE, mode=0o700)], {"a": "folder 755"}),
    "folder twice": ([member("a/b"), member("a", kind=tarfile.DIRTYPE)], {"a": "folder 755", "a/b": "file 644 "}),
    "setuid": ([member("a", b"1", mode=0o6755)], {"a": "file 755 1"}),
    "setuid folder": ([member("a", kind=tarfile.DIRTYPE, mode=0o7777)], {"a": "folder 755"}),
    "unreadable": ([member("a", b"1", mode=0)], {"a": "file 644 1"}),
    "link": ([link("l", "a"), member("a", b"1")], {"a": "file 644 1", "l": "link a"}),
    "link up": ([link("a/l", "../b"), member("b")], {"a": "folder 755", "a/l": "link ../b", "b": "file 644 "}),
    "link to nothing": ([link("l", "node_modules/x")], {"l": "link node_modules/x"}),
    "link to the root": ([link("a/l", "..")], {"a": "folder 755", "a/l": "link .."}),
    "link through a link": (
        [link("l", "a/up/b"), link("a/up", ".."), member("b")],
        {"a": "folder 755", "a/up": "link ..", "b": "file 644 ", "l": "link a/up/b"},
    ),
    "long name": (
        [member(LONG, b"1")],
        {
            **{"/".join(["d" * 100] * depth): "folder 755" for depth in range(1, 6)},
            LONG: "file 644 1",
        },
    ),
    "prefix of ustar": (
        [member(f"{'d' * 90}/{'f' * 90}", b"1")],
        {"d" * 90: "folder 755", f"{'d' * 90}/{'f' * 90}": "file 644 1"},
    ),
    "other letters": ([member("ü/漢", b"1")], {"ü": "folder 755", "ü/漢": "file 644 1"}),
    "strange letters": ([member("a\n b\\'\"*", b"1")], {"a\n b\\'\"*": "file 644 1"}),
    "logs deeper": ([member("a/logs", b"1")], {"a": "folder 755", "a/logs": "file 644 1"}),
    "nothing": ([], {}),
}


def listing(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[name] = f"link {path.readlink()}"
        elif stat.S_ISDIR(mode):
            found[name] = f"folder {stat.S_IMODE(mode):o}"
        else:
            found[name] = f"file {stat.S_IMODE(mode):o} {path.read_text()}"
    return found


@pytest.mark.parametrize(("members", "expected"), KEPT.values(), ids=KEPT.keys())
def test_what_is_kept(tmp_path: Path, members: list[Member], expected: dict[str, str]) -> None:
    before = os.umask(0o077)
    try:
        out = unpacked(tmp_path, *members)
    finally:
        os.umask(before)
    assert listing(out) == expected
    assert stat.S_IMODE(out.stat().st_mode) == 0o755


def test_what_came_out_is_told(tmp_path: Path) -> None:
    path = archive(tmp_path, member("a/b", b"123"), member("c", b"45"), link("l", "c"))
    assert unpack(path, tmp_path / "out") == Unpacked(files=3, size=5)


REFUSED: dict[str, tuple[list[Member], str]] = {
    "absolute": ([member("/etc/x")], "not a plain relative one"),
    "up": ([member("../x")], "not a plain relative one"),
    "up inside": ([member("a/../../x")], "not a plain relative one"),
    "up that stays": ([member("a/../b")], "not a plain relative one"),
    "dot": ([member("./a")], "not a plain relative one"),
    "empty part": ([member("a//b")], "not a plain relative one"),
    "empty": ([member("")], "not a plain relative one"),
    "long part": ([member("a" * 256)], "too long"),
    "long path": ([member("/".join(["a" * 200] * 21))], "too long"),
    "hard link": ([member("a"), member("b", kind=tarfile.LNKTYPE, linkname="a")], "a hard link"),
    "character device": ([member("a", kind=tarfile.CHRTYPE)], "a device"),
    "block device": ([member("a", kind=tarfile.BLKTYPE)], "a device"),
    "fifo": ([member("a", kind=tarfile.FIFOTYPE)], "a fifo"),
    "contiguous": ([member("a", kind=tarfile.CONTTYPE)], "a contiguous file"),
    "sparse": ([member("a", kind=tarfile.GNUTYPE_SPARSE)], "a sparse file"),
    "unknown type": ([member("a", kind=b"Z")], "an entry of type"),
    "file twice": ([member("a"), member("a")], "has a twice"),
    "link twice": ([link("a", "b"), link("a", "c")], "has a twice"),
    "file and folder": ([member("a"), member("a/b")], "has a twice"),
    "folder and file": ([member("a/b"), member("a")], "has a twice"),
    "through a link": ([link("a", "b"), member("a/x")], "has a twice"),
    "through a link, later": ([member("a/x"), link("a", "/etc")], "has a twice"),
    "folder is a link": ([member("a", kind=tarfile.DIRTYPE), link("a", "b")], "has a twice"),
    "case": ([member("README"), member("readme")], "differ only in case"),
    "case of folders": ([member("A/x"), member("a/y")], "differ only in case"),
    "case of letters": ([member("straße"), member("STRASSE")], "differ only in case"),
    "unicode forms": ([member("\u00e9"), member("e\u0301")], "differ only in case"),
    "own logs": ([member("logs/x")], "brings its own logs"),
    "own logs as a link": ([link("logs", "a")], "brings its own logs"),
    "own logs as a folder": ([member("logs", kind=tarfile.DIRTYPE)], "brings its own logs"),
    "absolute link": ([link("a", "/etc/passwd")], "leads out"),
    "link up": ([link("a", "../x")], "leads out"),
    "link up from below": ([link("a/b", "../../x")], "leads out"),
    "link by a link": ([link("a/up", ".."), link("b", "a/up/../x")], "leads out"),
    "link by a later link": ([link("b", "a/up/../../x"), link("a/up", "..")], "leads out"),
    "link to itself": ([link("a", "a")], "in a circle"),
    "links in a circle": ([link("a", "b"), link("b", "a")], "in a circle"),
}


@pytest.mark.parametrize(("members", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_leaves_nothing(tmp_path: Path, members: list[Member], words: str) -> None:
    path = archive(tmp_path, member("first", b"1"), *members)
    with pytest.raises(TakoError) as caught:
        unpack(path, tmp_path / "out")
    assert words in caught.value.message
    assert sorted(item.name for item in tmp_path.iterdir()) == ["given.tar.gz"]


def bomb(entries: int = 0, content: int = 0) -> list[Member]:
    return [member("zeros", bytes(content)), *(member(f"{number}", b"") for number in range(entries))]


LIMITS: dict[str, tuple[list[Member], Limits, str]] = {
    "entries": (bomb(entries=20), Limits(entries=20), "more than 20 entries"),
    "bytes": (bomb(content=20_000), Limits(total=10_000), "unpacks to more than"),
    "ratio": (bomb(content=2_000_000), Limits(), "unpacks to more than"),
}


@pytest.mark.parametrize(("members", "limits", "words"), LIMITS.values(), ids=LIMITS.keys())
def test_limits_are_counted_while_unpacking(tmp_path: Path, members: list[Member], limits: Limits, words: str) -> None:
    path = archive(tmp_path, *members)
    with pytest.raises(TakoError, match=words):
        unpack(path, tmp_path / "out", limits=limits)
    assert not (tmp_path / "out").exists()


def test_a_small_archive_may_compress_well(tmp_path: Path) -> None:
    assert listing(unpacked(tmp_path, *bomb(entries=500, content=100_000)))


def damage(path: Path, change: Callable[[bytes], bytes], *, packed: bool = False) -> None:
    data = path.read_bytes() if packed else gzip.decompress(path.read_bytes())
    new = change(data)
    path.write_bytes(new if packed else gzip.compress(new))


def with_header(number: int, new: bytes) -> Callable[[bytes], bytes]:
    """Write into the first header, and make its sum right again."""

    def change(data: bytes) -> bytes:
        block = bytearray(data[:512])
        block[number : number + len(new)] = new
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        return bytes(block) + data[512:]

    return change


DAMAGED: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
    "not gzip": (lambda data: b"hello", True),
    "empty": (lambda data: b"", True),
    "cut": (lambda data: data[: len(data) // 2], True),
    "cut at the sum": (lambda data: data[:-4], True),
    "bit": (lambda data: data[:-6] + bytes([data[-6] ^ 1]) + data[-5:], True),
    "followed by more": (lambda data: data + b"x", True),
    "not tar": (lambda data: b"hello" * 1000, False),
    "cut tar": (lambda data: data[:600], False),
    "cut header": (lambda data: data[:300], False),
    "no end": (lambda data: data[:1024], False),
    "sum": (lambda data: b"b" + data[1:], False),
    "size": (with_header(124, b"zzzzzzzzzzz"), False),
    "huge size": (with_header(124, b"77777777777"), False),
    "binary size": (with_header(124, b"\x80\0\0\0\0\0\0\0\0\0\0\x01"), False),
    "negative size": (with_header(124, b"-1\0\0\0\0\0\0\0\0\0\0"), False),
    "name that is no text": (with_header(0, b"\xff\xfe"), False),
}


@pytest.mark.parametrize(("change", "packed"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_an_error_of_ours(tmp_path: Path, change: Callable[[bytes], bytes], packed: bool) -> None:
    path = archive(tmp_path, member("a", b"x" * 500))
    damage(path, change, packed=packed)
    with pytest.raises(TakoError):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_headers_of_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TakoError, match="a GNU long name"):
        unpacked(tmp_path, member(LONG), form=tarfile.GNU_FORMAT)


def extended(records: bytes) -> list[Member]:
    return [member("x", records, kind=tarfile.XHDTYPE), member("a", b"1")]


EXTENDED = {
    "too long": b"x" * 70_000,
    "no records": b"hello",
    "length of zero": b"0 path=b\n",
    "length beyond": b"99 path=b\n",
    "length below": b"3 path=b\n",
    "no line end": b"9 path=bb",
    "no value": b"7 path\n",
    "sparse": b"22 GNU.sparse.major=1\n",
    "size beyond": b"14 size=90000\n",
    "size that is none": b"11 size=-1\n",
    "path out": b"16 path=../../x\n",
    "path with NUL": b"12 path=a\0b\n",
    "no text": b"11 path=\xff\xff\n",
}


@pytest.mark.parametrize("records", EXTENDED.values(), ids=EXTENDED.keys())
def test_broken_extended_headers_are_refused(tmp_path: Path, records: bytes) -> None:
    with pytest.raises(TakoError):
        unpacked(tmp_path, *extended(records))
    assert not (tmp_path / "out").exists()


def test_a_target_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("1")
    with pytest.raises(TakoError, match="cannot make"):
        unpacked(tmp_path, member("a"))
    assert listing(tmp_path / "out") == {"mine": "file 644 1"}


def test_a_target_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "out").symlink_to("other")
    with pytest.raises(TakoError, match="cannot make"):
        unpacked(tmp_path, member("a"))
    assert listing(tmp_path / "other") == {}


def test_descriptors_are_closed(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    unpacked(tmp_path, *(member("/".join("abcdefgh"[:depth]) + f"/{depth}") for depth in range(1, 9)))
    with pytest.raises(TakoError):
        unpack(archive(tmp_path, member("a/b/c/d"), member("../x")), tmp_path / "two")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


PART = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda part: part not in (".", "..")
)
PATHS = st.dictionaries(
    st.lists(PART, min_size=1, max_size=4).map("/".join),
    st.tuples(st.binary(max_size=2000), st.booleans()),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATHS)
def test_what_is_packed_comes_out_again(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[bytes, bool]]
) -> None:
    base = tmp_path_factory.mktemp("round")
    source = base / "in"
    source.mkdir()
    written = {}
    for name, (content, program) in files.items():
        path = source / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError:
            continue  # a folder where a file is, or a name that is too long
        path.chmod(0o755 if program else 0o644)
        written[name] = (content, program)
    try:
        entries = read_entries(source, written)
    except TakoError:
        return  # names that clash
    pack(source, entries, base / "packed.tar.gz")
    unpack(base / "packed.tar.gz", base / "out")
    found = {
        str(path.relative_to(base / "out")): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in (base / "out").rglob("*")
        if path.is_file()
    }
    assert found == written


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=3000), st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, tail: bytes, at: int, new: bytes) -> None:
    """Whatever is in the tar, it unpacks or is refused with words."""
    base = tmp_path_factory.mktemp("any")
    path = archive(base, member("a/b", b"x" * 600), link("l", "a/b"), member("ü" * 60, b"1"))
    damage(path, lambda data: data[:at] + new + data[at + len(new) :] + tail)
    try:
        unpack(path, base / "out")
    except TakoError:
        assert not (base / "out").exists()
