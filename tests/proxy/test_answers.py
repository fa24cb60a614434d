"""Who answers: an app by host and path, or the proxy itself."""

import pytest

from tako_modules.model import snapshot as model
from tako_modules.proxy.downstream import Client

from .bed import BARE, Bed, Server, address, app

GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(name="server")
def _server(bed: Bed) -> Server:
    server = bed.server()
    bed.publish(app(address(server.port)))
    return server


def test_plain_requests_are_sent_to_https(bed: Bed) -> None:
    bed.publish(app(address(1), https_only=True), base=model.Snapshot(epoch=1, generation=0, https_port=8443))
    client = bed.client(b"POST /a/b?c=%20&d HTTP/1.1\r\nHost: A.test:80\r\n\r\n")
    answer = client.answer()
    assert answer.startswith(b"HTTP/1.1 308 ")
    assert b"\r\nLocation: https://a.test:8443/a/b?c=%20&d\r\n" in answer


def test_the_usual_port_is_not_named(bed: Bed) -> None:
    bed.publish(app(address(1), https_only=True))
    assert b"\r\nLocation: https://a.test/\r\n" in bed.client(GET).answer()


CHALLENGE = b"GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: %b\r\n\r\n"


@pytest.mark.parametrize("host", [b"a.test", b"unknown.test"])
def test_acme_challenges_are_answered(bed: Bed, host: bytes) -> None:
    base = model.Snapshot(epoch=1, generation=0, challenges={"token": "token.print"})
    bed.publish(app(address(1), https_only=True), base=base)
    answer = bed.client(CHALLENGE % host).answer()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\ntoken.print")


def test_a_challenge_that_is_not_ours_is_the_apps(bed: Bed) -> None:
    server = bed.server()
    bed.publish(app(address(server.port), https_only=True))
    client = bed.client(CHALLENGE % b"a.test")
    server.accept().send(OK)
    assert client.answer() == OK


@pytest.mark.parametrize(
    "head",
    [b"GET /status HTTP/1.1\r\nHost: tako.internal\r\n\r\n", b"GET /_tako/status?x HTTP/1.1\r\nHost: a.test\r\n\r\n"],
    ids=["by host", "by path"],
)
@pytest.mark.parametrize("healthy", [True, False], ids=["healthy", "unhealthy"])
def test_the_servers_own_status(bed: Bed, server: Server, head: bytes, healthy: bool) -> None:
    bed.publish(app(address(server.port)), base=model.Snapshot(epoch=1, generation=0, healthy=healthy))
    answer = bed.client(head).answer()
    assert answer.startswith(b"HTTP/1.1 200 " if healthy else b"HTTP/1.1 503 ")
    assert (b'"healthy":true' if healthy else b'"healthy":false') in answer
    assert server.quiet()


def test_the_status_is_told_to_nobody_else(bed: Bed, server: Server) -> None:
    client = bed.client()
    bed.settle()
    guest = next(iter(bed.worker.context.guests))
    assert isinstance(guest, Client)
    guest.origin.local = False
    client.send(b"GET /_tako/status HTTP/1.1\r\nHost: a.test\r\n\r\n")
    assert server.accept().head().startswith(b"GET /_tako/status ")


def test_head_requests_get_no_body_from_the_proxy_either(bed: Bed, server: Server) -> None:
    client = bed.client(b"HEAD / HTTP/1.1\r\nHost: x.test\r\n\r\n")
    assert client.head().startswith(b"HTTP/1.1 404 ")
    bed.settle()
    client.poll()
    assert client.got == b""


def test_paths_belong_to_different_apps(bed: Bed) -> None:
    one, two = bed.server(), bed.server()
    bed.publish(
        app(address(one.port), routes=("a.test",), ident="site"),
        app(address(two.port, "two"), routes=("a.test/api/*",), ident="api"),
    )
    client = bed.client(b"GET /api/x?y HTTP/1.1\r\nHost: a.test\r\n\r\n")
    two.accept().send(OK)
    client.answer()
    client.send(GET)
    one.accept().send(OK)
    client.answer()


def test_a_new_snapshot_moves_an_open_connection(bed: Bed) -> None:
    one, two = bed.server(), bed.server()
    bed.publish(app(address(one.port), ident="old"))
    client = bed.client(GET)
    one.accept().send(OK)
    client.answer()
    bed.publish(app(address(two.port, "two"), ident="new"))
    client.send(GET)
    two.accept().send(OK)
    client.answer()
    bed.publish()
    client.send(GET)
    assert client.answer().startswith(b"HTTP/1.1 404 ")


def test_nothing_is_accepted_before_the_first_snapshot(bed: Bed) -> None:
    client = bed.client(GET)
    bed.settle()
    assert not bed.worker.context.guests
    server = bed.server()
    bed.publish(app(address(server.port)), base=BARE)
    server.accept().send(OK)
    assert client.answer() == OK
