"""Requests: each one comes back as it was sent; what is unknown, missing or of the wrong kind is named."""

import msgspec
import pytest

from tako_modules.model.release import HealthCheck, Recipe
from tako_modules.protocol import messages
from tako_modules.protocol.errors import MessageError
from tako_modules.protocol.messages import REQUESTS, Owner, Request, decode_request, encode_request
from tako_modules.protocol.version import CAPABILITIES, LATER, PROTOCOL

OWNER = Owner(user="ann", host="laptop", pid=7)
RECIPE = Recipe(
    runtime="bun",
    tools={"bun": "1.4.5"},
    install=(("bun", "install", "--production"),),
    start=("bun", "run", "start"),
    path=("node_modules/.bin",),
    env={"NODE_ENV": "production"},
    health=HealthCheck(path="/up", timeout=5.0),
)
EXAMPLES: list[Request] = [
    messages.Hello(protocol_version=3),
    messages.Lease(app="shop", action="take", owner=OWNER),
    messages.Lease(app="shop", action="renew", owner=OWNER, fence=4),
    messages.Upload(app="shop.staging", fence=1, version="v1", size=1 << 40, sha256="0" * 64),
    messages.Prepare(app="shop", fence=1, version="v1", env={"A": "ü\n\"'", "B": ""}, recipe=RECIPE),
    messages.RunRelease(app="shop", fence=1, version="v1", run="bun run migrate", timeout=5.0),
    messages.Deploy(app="shop", fence=1, version="v1", path="/x", routes=("a.test", "*.b.test/x*"), instances=0),
    messages.Rollback(app="shop", fence=1, version="v0"),
    messages.Scale(app="shop", fence=1, instances=3),
    messages.Restart(app="shop", fence=1),
    messages.Reload(app="shop", fence=1),
    messages.Stop(app="shop", fence=1),
    messages.Start(app="shop", fence=1),
    messages.Delete(app="shop", fence=1, purge=True),
    messages.Cancel(app="shop", fence=1),
    messages.Status(app="shop"),
    messages.List(),
    messages.Routes(),
    messages.ListReleases(app="shop"),
    messages.Logs(app="shop", lines=5, since=1.5, follow=True),
    messages.ServerInfo(),
]


@pytest.mark.parametrize("request_", EXAMPLES, ids=lambda each: type(each).__name__)
def test_a_request_comes_back_as_it_was_sent(request_: Request) -> None:
    line = encode_request(request_)
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert decode_request(line[:-1]) == request_


def test_every_request_is_in_the_table_and_has_an_example() -> None:
    assert {type(each) for each in EXAMPLES} == set(REQUESTS.values())
    for word, kind in REQUESTS.items():
        assert kind.__struct_config__.tag == word


@pytest.mark.parametrize(("word", "kind"), list(REQUESTS.items()), ids=list(REQUESTS))
def test_every_mutating_request_must_carry_its_fence(word: str, kind: type[msgspec.Struct]) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    assert getattr(kind, "mutates", False) is (word != "lease" and "fence" in fields)
    if getattr(kind, "mutates", False):
        assert fields["fence"].required


def test_the_first_request_of_the_seed_is_read() -> None:
    line = b'{"command": "hello", "protocol_version": 3}'
    assert decode_request(line) == messages.Hello(protocol_version=PROTOCOL)


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        pytest.param(b"", "invalid", "not JSON", id="nothing"),
        pytest.param(b"{", "invalid", "not JSON", id="cut"),
        pytest.param(b'{"command":"list"}{}', "invalid", "not JSON", id="two values"),
        pytest.param(b'{"command":"\xff"}', "invalid", "not JSON", id="no UTF-8"),
        pytest.param(b"null", "invalid", "object with a command", id="null"),
        pytest.param(b'"list"', "invalid", "object with a command", id="string"),
        pytest.param(b"{}", "invalid", "no command", id="no command"),
        pytest.param(b'{"command":null}', "invalid", "no command", id="command null"),
        pytest.param(b'{"command":7}', "invalid", "", id="command of the wrong type"),
        pytest.param(b'{"command":"dance"}', "unknown_command", "'dance'", id="unknown"),
        pytest.param(b'{"command":"run"}', "comes_later", LATER["run"], id="comes later"),
        pytest.param(b'{"command":"status"}', "invalid", "app", id="missing field"),
        pytest.param(b'{"command":"stop","app":"a"}', "invalid", "fence", id="missing fence"),
        pytest.param(b'{"command":"list","all":true}', "invalid", "all", id="unknown field"),
        pytest.param(b'{"command":"scale","app":"a","fence":1,"instances":"3"}', "invalid", "$.instances", id="type"),
        pytest.param(b'{"command":"scale","app":"a","fence":1,"instances":1.5}', "invalid", "$.instances", id="float"),
        pytest.param(
            b'{"command":"lease","app":"a","action":"take","owner":{"user":"u","host":"h","pid":1,"x":2}}',
            "invalid",
            "$.owner",
            id="unknown field below",
        ),
    ],
)
def test_a_line_that_is_no_request_is_explained(line: bytes, code: str, words: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode_request(line)
    assert caught.value.code == code
    assert words in caught.value.message


def test_nested_beyond_reason_is_refused_and_no_crash() -> None:
    with pytest.raises(MessageError):
        decode_request(b'{"command":' * 100_000)


def test_what_comes_later_is_neither_known_nor_claimed() -> None:
    assert not set(LATER) & set(REQUESTS)
    assert len(set(CAPABILITIES)) == len(CAPABILITIES)
