"""Targets in all their forms, and the names of hosts."""

import pytest

from tako_modules.http import targets
from tako_modules.http.errors import ProtocolError


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        (b"GET", b"/", (None, b"/")),
        (b"GET", b"/a?b=%", (None, b"/a?b=%")),
        (b"GET", b"//b/c", (None, b"//b/c")),
        (b"OPTIONS", b"*", (None, b"*")),
        (b"OPTIONS", b"http://a", (b"a", b"*")),
        (b"OPTIONS", b"http://a/", (b"a", b"/")),
        (b"OPTIONS", b"http://a?b", (b"a", b"/?b")),
        (b"GET", b"http://a", (b"a", b"/")),
        (b"GET", b"hTTps://A:1/b?c", (b"A:1", b"/b?c")),
    ],
    ids=repr,
)
def test_a_target_is_brought_into_origin_form(
    method: bytes, target: bytes, expected: tuple[bytes | None, bytes]
) -> None:
    assert targets.origin_form(method, target) == expected


@pytest.mark.parametrize(
    "target", [b"", b"*", b"a", b"a:1", b"ftp://a/", b"http:///", b"http:/a", b"/%", b"/%4", b"/%zz", b"/a#b"]
)
def test_any_other_target_is_refused(target: bytes) -> None:
    with pytest.raises(ProtocolError) as refusal:
        targets.origin_form(b"GET", target)
    assert refusal.value.status == 400


def test_every_character_that_json_would_escape_is_refused() -> None:
    for code in (*range(0x21), ord('"'), ord("\\"), *range(0x7F, 0x100)):
        for form in (b"/%b", b"/?%b", b"http://a/%b"):
            with pytest.raises(ProtocolError):
                targets.origin_form(b"GET", form % bytes([code]))


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (b"a", b"a"),
        (b"A.Example", b"a.example"),
        (b"a.example.", b"a.example"),
        (b"a_b-c.example:0443", b"a_b-c.example"),
        (b"a:", b"a"),
        (b"192.0.2.1:65535", b"192.0.2.1"),
        (b"[2001:DB8::1]:80", b"[2001:db8::1]"),
    ],
)
def test_the_host_of_an_authority_is_what_routes_know(authority: bytes, host: bytes) -> None:
    assert targets.host_of(authority) == host


@pytest.mark.parametrize(
    "authority",
    [
        b"",
        b":80",
        b".",
        b"-a",
        b"a b",
        b"a,b",
        b"u@a",
        b"a/b",
        b"a:65536",
        b"a:123456",
        b"a:-1",
        b"[::1",
        b"a%41",
        b"x" * 256,
    ],
    ids=lambda value: repr(value[:12]),
)
def test_what_is_no_authority_is_refused(authority: bytes) -> None:
    with pytest.raises(ProtocolError) as refusal:
        targets.host_of(authority)
    assert refusal.value.status == 400
