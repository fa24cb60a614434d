"""Field lines: grammar, special names, lists, quoting."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tako_modules.http import headers
from tako_modules.http.errors import ProtocolError

DROPPED = sorted(headers.HOP_BY_HOP | {b"forwarded", b"proxy", b"x-forwarded-for", b"x-real-ip", b"x-request-id"})


@pytest.mark.parametrize("name", sorted(DROPPED), ids=lambda name: name.decode())
def test_special_names_are_found_in_any_case_and_with_any_separator(name: bytes) -> None:
    for spelled in (name, name.upper(), name.title(), name.replace(b"-", b"_"), name.replace(b"-", b".")):
        parts = headers.REQUEST_SPECIAL.split(b"\r\nA: 1\r\n" + spelled + b": v \r\nB: 2\r\n")
        assert parts == [b"\r\nA: 1", spelled, b"v ", b"\r\nB: 2\r\n"]


@pytest.mark.parametrize("name", sorted(DROPPED), ids=lambda name: name.decode())
def test_names_that_only_contain_a_special_one_are_not_special(name: bytes) -> None:
    longer = [] if name.startswith(b"x-forwarded-") else [name + b"a"]  # all X-Forwarded-… are the edge's own
    for other in (b"a" + name, b"a-" + name, *longer):
        assert len(headers.REQUEST_SPECIAL.split(b"\r\n" + other + b": v\r\n")) == 1


def test_an_empty_value_is_found() -> None:
    assert headers.REQUEST_SPECIAL.split(b"\r\nHost:\r\n") == [b"", b"Host", b"", b"\r\n"]


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (b"\r\n" + b"a:\r\n" * 101, 431),
        (b"\r\na:\n\r\n", 400),
        (b"\r\n" + b"x" * 257 + b":\r\n", 400),
    ],
    ids=["count", "grammar", "name"],
)
def test_a_refused_block_says_why(block: bytes, status: int) -> None:
    assert headers.REQUEST_FIELDS.fullmatch(block) is None
    assert headers.refused(block).status == status


def test_a_hundred_fields_with_long_names_are_taken() -> None:
    assert headers.REQUEST_FIELDS.fullmatch(b"\r\n" + (b"x" * 256 + b": y\r\n") * 100)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, set()),
        (b"", set()),
        (b"keep-alive", set()),
        (b"Close", {b"close"}),
        (b"Keep-Alive", {b"keep-alive"}),
        (b" , a,\tB ,,", {b"a", b"b"}),
    ],
    ids=["none", "empty", "known", "close", "case", "empty members"],
)
def test_connection_is_a_list_of_options(value: bytes | None, expected: set[bytes]) -> None:
    assert headers.options(value, 400) - {b"keep-alive"} == expected - {b"keep-alive"}


@pytest.mark.parametrize("value", [b"a b", b"host", b"close, Content-Length", b"a;b", b'"a"'])
def test_connection_names_tokens_and_nothing_that_must_reach_everybody(value: bytes) -> None:
    with pytest.raises(ProtocolError) as refusal:
        headers.options(value, 502)
    assert refusal.value.status == 502


def test_lines_are_left_out_by_name_and_the_rest_keeps_its_order() -> None:
    block = b"\r\nA: 1\r\nB: 2\r\na: 3\r\nAb: 4\r\n"
    assert headers.without(block, frozenset({b"a"})) == b"\r\nB: 2\r\nAb: 4\r\n"
    assert headers.without(block, frozenset({b"a", b"b", b"ab"})) == b"\r\n"


def test_a_field_is_found_on_all_its_lines() -> None:
    block = b"\r\nUser-Agent:  x y \r\nA: User-Agent: no\r\nuser-agent:\r\n"
    assert headers.find(block, b"user-agent") == [b"x y", b""]
    assert headers.find(block, b"agent") == []


@settings(deadline=None)
@given(st.binary())
def test_quoted_bytes_are_safe_in_json_and_lose_nothing(value: bytes) -> None:
    quoted = headers.quote(value)
    assert quoted.isascii()
    assert json.loads(b'"' + quoted + b'"') == value.decode("latin-1")
