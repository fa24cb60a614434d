"""known_hosts: patterns, ports, hashes and markers, each with the place where it stands."""

from pathlib import Path

import pytest

from tako_modules.ssh import known_hosts
from tako_modules.ssh.known_hosts import KnownHosts
from tako_modules.ssh.library import asyncssh

KEY = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
TEXT = KEY.export_public_key().decode().strip()

CASES = [
    pytest.param("a.test", "a.test", 22, True, id="a name"),
    pytest.param("b.test,a.test", "a.test", 22, True, id="several names"),
    pytest.param("*.test", "a.test", 22, True, id="a pattern"),
    pytest.param("*.test,!a.test", "a.test", 22, False, id="a pattern with an exception"),
    pytest.param("[a.test]:2222", "a.test", 2222, True, id="a port"),
    pytest.param("[a.test]:2222", "a.test", 22, False, id="another port"),
    pytest.param("a.test", "a.test", 2222, False, id="a bare name does not speak for a port"),
    pytest.param("192.0.2.7", "192.0.2.7", 22, True, id="an address"),
    pytest.param("2001:db8::1", "2001:db8::1", 22, True, id="an IPv6 address"),
]


@pytest.mark.parametrize(("pattern", "host", "port", "found"), CASES)
def test_which_line_speaks_for_a_host(pattern: str, host: str, port: int, found: bool) -> None:
    known = KnownHosts([("file", f"\n# comment\n{pattern} {TEXT}\n")])
    keys = known.find(host, port)
    assert [key for key, _ in keys.trusted] == ([KEY] if found else [])
    assert keys.places(KEY.algorithm) == (["file:3"] if found else [])


def test_lines_that_cannot_be_read_are_passed_over() -> None:
    broken = f"|1|nonsense {TEXT}\n@who a.test {TEXT}\na.test\na.test ssh-new AAAA\na.test {TEXT}"
    assert len(KnownHosts([("file", broken)]).find("a.test", 22).trusted) == 1


def test_markers_are_not_trust() -> None:
    keys = KnownHosts([("file", f"@cert-authority a.test {TEXT}\n@revoked a.test {TEXT}")]).find("a.test", 22)
    assert (keys.trusted, keys.authorities, keys.revoked) == ((), (KEY,), (KEY,))


def test_an_accepted_key_is_found_again_beside_the_others(tmp_path: Path) -> None:
    path = tmp_path / "home/known_hosts"
    path.parent.mkdir()
    path.write_text(f"b.test {TEXT}")
    for port in (22, 2222):
        known_hosts.add(path, "a.test", port, KEY)
    known = known_hosts.read([path, tmp_path / "none"], "")
    assert [bool(known.find(*each).trusted) for each in (("a.test", 22), ("a.test", 2222), ("b.test", 22))] == [
        True
    ] * 3
