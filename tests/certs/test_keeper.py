"""The keeper: real certificates win, bad ones are told and the last good one stays, missing ones are made."""

import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tako_modules.base.errors import TakoError
from tako_modules.certs import parsing, selfsigned
from tako_modules.certs.keeper import Keeper
from tako_modules.certs.pair import Pair

from .jumping import JumpingClock

NOW = 1_790_000_000.0
DAY = 86400.0


class Bench:
    """A keeper over a folder, its clock, and the hosts that its issuer was asked for."""

    def __init__(self, folder: Path, mark: str = "self-signed", issue: Callable[[str], Pair] | None = None) -> None:
        self.folder = folder
        self.clock = JumpingClock(NOW)
        self.made: list[str] = []
        self._issue = issue
        self.keeper = Keeper(folder, self.issuer, mark=mark, clock=self.clock)

    def issuer(self, host: str) -> Pair:
        """Make a self-signed one, as a server does."""
        self.made.append(host)
        return self._issue(host) if self._issue else selfsigned.issue((host,), now=self.clock.now())

    def put(self, domain: str, pair: Pair) -> Pair:
        """Drop a pair into the folder of a domain, as a person does."""
        (self.folder / domain).mkdir(parents=True, exist_ok=True)
        (self.folder / domain / "privkey.pem").write_text(pair.key)
        (self.folder / domain / "privkey.pem").chmod(0o600)
        (self.folder / domain / "fullchain.pem").write_text(pair.chain)
        return pair

    def served(self) -> dict[tuple[str, ...], tuple[str, ...]]:
        """Tell which hosts are served by a certificate for which names."""
        return {
            each.names: parsing.examine(Pair(each.chain, each.key)).names
            for each in self.keeper.selection.value.certificates
        }

    def made_hosts(self) -> set[str]:
        """Tell which hosts are served by certificates of our own making."""
        return {each.host for each in self.keeper.selection.value.hosts if each.made}

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch the files while the block runs."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.keeper.run)
            yield
            tasks.cancel_scope.cancel()


def real(*names: str, days: int = 90) -> Pair:
    """Make a pair that stands for an authority's."""
    return selfsigned.issue(names, now=NOW, days=days)


async def test_missing_ones_are_made_kept_and_found_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "certs")
    first = await bench.keeper.want(["b.test", "*.A.test"])
    assert bench.served() == {("*.a.test",): ("*.a.test",), ("b.test",): ("b.test",)}
    assert sorted(path.name for path in bench.folder.iterdir()) == ["_wildcard.a.test", "b.test"]
    assert stat.S_IMODE((bench.folder / "b.test/privkey.pem").stat().st_mode) == 0o600
    later = Bench(tmp_path / "certs")
    assert await later.keeper.want(["b.test", "*.a.test"]) == first
    assert later.made == []
    assert later.made_hosts() == {"b.test", "*.a.test"}


async def test_a_real_one_in_the_same_folder_wins_and_is_never_written_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.keeper.want(["a.test"])
    async with bench.watching():
        dropped = bench.put("a.test", real("a.test", days=10))
        await bench.clock.jump(1)
        assert bench.keeper.selection.value.certificates[0].chain == dropped.chain
        assert bench.made_hosts() == set()
        await bench.clock.jump(400 * DAY)
        await bench.keeper.want(["a.test", "b.test"])
    assert (tmp_path / "a.test/fullchain.pem").read_text() == dropped.chain
    assert any("a.test expired on" in problem for problem in bench.keeper.selection.value.problems)
    assert bench.made == ["a.test", "b.test"]


CHOICES = [
    pytest.param(["a.test"], {"x": ("a.test",)}, {("a.test",): ("a.test",)}, id="the exact name"),
    pytest.param(["w.a.test"], {"x": ("*.a.test",)}, {("w.a.test",): ("*.a.test",)}, id="a wildcard"),
    pytest.param(["*.a.test"], {"x": ("*.a.test",)}, {("*.a.test",): ("*.a.test",)}, id="a wildcard's own pattern"),
    pytest.param(
        ["v.w.a.test"], {"x": ("*.a.test",)}, {("v.w.a.test",): ("v.w.a.test",)}, id="a wildcard stands for one label"
    ),
    pytest.param(
        ["w.a.test", "v.a.test"],
        {"x": ("*.a.test",), "y": ("w.a.test",)},
        {("v.a.test",): ("*.a.test",), ("w.a.test",): ("w.a.test",)},
        id="the exact name before a wildcard",
    ),
    pytest.param(
        ["a.test", "b.test"],
        {"x": ("a.test", "b.test")},
        {("a.test", "b.test"): ("a.test", "b.test")},
        id="one for several hosts",
    ),
    pytest.param([], {"x": ("a.test",)}, {}, id="no host, no certificate"),
]


@pytest.mark.parametrize(("hosts", "disk", "served"), CHOICES)
async def test_the_choice(
    tmp_path: Path,
    hosts: list[str],
    disk: dict[str, tuple[str, ...]],
    served: dict[tuple[str, ...], tuple[str, ...]],
) -> None:
    bench = Bench(tmp_path)
    for domain, names in disk.items():
        bench.put(domain, real(*names))
    await bench.keeper.want(hosts)
    assert bench.served() == served


async def test_a_real_wildcard_beats_a_made_exact_name(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.keeper.want(["w.a.test"])
    bench.put("a.test", real("*.a.test"))
    await bench.keeper.want(["w.a.test"])
    assert bench.served() == {("w.a.test",): ("*.a.test",)}


async def test_the_one_that_is_valid_and_lasts_longest_is_chosen(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put("expired", selfsigned.issue(("a.test",), now=NOW - 90 * DAY, days=10))
    bench.put("future", selfsigned.issue(("a.test",), now=NOW + 90 * DAY, days=900))
    bench.put("short", real("a.test", days=10))
    best = bench.put("long", real("a.test", days=60))
    assert [each.chain for each in await bench.keeper.want(["a.test"])] == [best.chain]


def _garbage(folder: Path) -> None:
    (folder / "fullchain.pem").write_text("no certificate")


def _half(folder: Path) -> None:
    (folder / "fullchain.pem").write_text(real("a.test").chain)


def _missing(folder: Path) -> None:
    (folder / "privkey.pem").unlink()


def _huge(folder: Path) -> None:
    (folder / "fullchain.pem").write_bytes(b"x" * (2 << 20))


def _binary(folder: Path) -> None:
    (folder / "privkey.pem").write_bytes(bytes(range(256)))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(_garbage, "no certificate that can be read", id="no certificate"),
        pytest.param(_half, "key does not belong", id="one of two files replaced"),
        pytest.param(_missing, "privkey.pem is missing", id="key missing"),
        pytest.param(_huge, "larger than", id="too large"),
        pytest.param(_binary, "no private key", id="no key"),
    ],
)
async def test_a_bad_pair_is_told_and_the_last_good_one_stays(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    bench = Bench(tmp_path)
    good = bench.put("a.test", real("a.test"))
    await bench.keeper.want(["a.test"])
    async with bench.watching():
        spoil(tmp_path / "a.test")
        await bench.clock.jump(1)
        assert [each.chain for each in bench.keeper.selection.value.certificates] == [good.chain]
        assert words in " ".join(bench.keeper.selection.value.problems)
        better = bench.put("a.test", real("a.test"))
        await bench.clock.jump(1)
        assert [each.chain for each in bench.keeper.selection.value.certificates] == [better.chain]
        assert bench.keeper.selection.value.problems == ()
    assert bench.made == []


async def test_a_bad_pair_at_the_start_is_bridged_in_memory_and_left_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put("a.test", Pair(chain="what", key="what"))
    await bench.keeper.want(["a.test"])
    assert bench.made_hosts() == {"a.test"}
    assert (tmp_path / "a.test/fullchain.pem").read_text() == "what"


async def test_a_crash_between_our_two_files_is_mended(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.keeper.want(["a.test"])
    (tmp_path / "a.test/fullchain.pem").unlink()
    later = Bench(tmp_path)
    await later.keeper.want(["a.test"])
    assert later.made == ["a.test"]
    assert (tmp_path / "a.test/fullchain.pem").exists()


async def test_an_encrypted_key_is_told_with_a_way_out(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    pair = real("a.test")
    secret = parsing.load_key(pair.key).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    bench = Bench(tmp_path)
    bench.put("a.test", Pair(pair.chain, secret.decode()))
    await bench.keeper.want(["a.test"])
    assert "encrypted" in " ".join(bench.keeper.selection.value.problems)


async def test_a_key_that_others_can_read_is_served_and_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put("a.test", real("a.test"))
    (tmp_path / "a.test/privkey.pem").chmod(0o644)
    await bench.keeper.want(["a.test"])
    assert bench.made == []
    assert "chmod 600" in " ".join(bench.keeper.selection.value.problems)


async def test_a_folder_that_is_removed_is_no_longer_served(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put("a.test", real("a.test"))
    await bench.keeper.want(["a.test"])
    async with bench.watching():
        for path in (tmp_path / "a.test").iterdir():
            path.unlink()
        (tmp_path / "a.test").rmdir()
        await bench.clock.jump(1)
    assert bench.made_hosts() == {"a.test"}


async def test_ours_are_made_anew_in_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.keeper.want(["a.test"])
    async with bench.watching():
        await bench.clock.jump(59 * DAY)
        assert bench.made == ["a.test"]
        await bench.clock.jump(2 * DAY)
        assert bench.made == ["a.test", "a.test"]
    (host,) = bench.keeper.selection.value.hosts
    assert host.expires == NOW + (59 + 2 + 90) * DAY


async def test_another_issuers_work_is_replaced(tmp_path: Path) -> None:
    await Bench(tmp_path, mark="old").keeper.want(["a.test"])
    bench = Bench(tmp_path, mark="new")
    await bench.keeper.want(["a.test"])
    assert bench.made == ["a.test"]
    again = Bench(tmp_path, mark="new")
    await again.keeper.want(["a.test"])
    assert again.made == []


async def test_an_issuer_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    works = False

    def failing(host: str) -> Pair:
        if works:
            return real(host)
        raise TakoError("no luck")

    bench = Bench(tmp_path, issue=failing)
    assert await bench.keeper.want(["a.test"]) == ()
    assert "no luck" in " ".join(bench.keeper.selection.value.problems)
    works = True
    async with bench.watching():
        await bench.clock.jump(61)
    assert bench.served() == {("a.test",): ("a.test",)}
    assert bench.keeper.selection.value.problems == ()


async def test_a_disk_that_cannot_be_written_costs_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "certs").write_text("a file where the folder should be")
    bench = Bench(tmp_path / "certs")
    await bench.keeper.want(["a.test"])
    assert bench.served() == {("a.test",): ("a.test",)}
    assert "could not be written" in " ".join(bench.keeper.selection.value.problems)


async def test_readers_are_told_only_when_something_has_changed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.keeper.want(["a.test"])
    before = bench.keeper.selection.value
    async with bench.watching():
        await bench.clock.jump(1)
        await bench.keeper.want(["A.test"])
        assert bench.keeper.selection.value is before
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(bench.keeper.selection.changed)
                await anyio.wait_all_tasks_blocked()
                await bench.keeper.want(["a.test", "b.test"])
