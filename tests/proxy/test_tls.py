"""HTTPS through a worker: certificates by name, and what a connection may be used for."""

import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from tako_modules.model import snapshot as model

from .bed import Bed, Server, address, app

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n"
AUTHORITY = trustme.CA()


def certificate(*names: str) -> model.Certificate:
    """Issue a certificate for names."""
    issued = AUTHORITY.issue_cert(*names)
    chain = "".join(blob.bytes().decode() for blob in issued.cert_chain_pems)
    return model.Certificate(names=names, chain=chain, key=issued.private_key_pem.bytes().decode())


EXACT, WILD, OTHER = certificate("a.test"), certificate("*.wild.test", "wild.test"), certificate("c.test")


@pytest.fixture(name="server")
def _server(bed: Bed) -> Server:
    server = bed.server()
    publish(bed, server, EXACT, WILD)
    return server


def publish(
    bed: Bed, server: Server, *certificates: model.Certificate, default: model.Certificate | None = None
) -> None:
    """Publish an app for all names with certificates."""
    routes = ("a.test", "x.wild.test", "y.wild.test", "c.test")
    base = model.Snapshot(epoch=1, generation=0, certificates=certificates, default_certificate=default)
    bed.publish(app(address(server.port), routes=routes, https_only=True), base=base)


def context() -> ssl.SSLContext:
    """Make a client's context that trusts the test's authority."""
    made = ssl.create_default_context()
    AUTHORITY.configure_trust(made)
    return made


def apart(bed: Bed, work: Callable[[], bytes]) -> bytes:
    """Do something that blocks in another thread while the worker runs."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        bed.until(done.done, "the client's thread")
    return done.result()


def dial(bed: Bed, name: str | None, settings: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """Connect and shake hands; runs in a client's thread."""
    settings = settings or context()
    settings.check_hostname = name is not None and settings.check_hostname
    raw = socket.create_connection(("127.0.0.1", bed.ports["https"]), timeout=5)
    try:
        return settings.wrap_socket(raw, server_hostname=name)
    except (ssl.SSLError, OSError):
        raw.close()
        raise


def fetch(bed: Bed, name: str | None, host: bytes, settings: ssl.SSLContext | None = None) -> bytes:
    """Make one request over TLS; gives the answer."""
    with dial(bed, name, settings) as client:
        client.sendall(GET % host)
        return client.recv(65536)


def answering(bed: Bed, server: Server, work: Callable[[], bytes]) -> bytes:
    """Let an instance answer one request meanwhile."""
    stop = threading.Event()

    def serve() -> None:
        server.sock.setblocking(True)
        server.sock.settimeout(5)
        try:
            peer, _ = server.sock.accept()
        except OSError:
            return
        with peer:
            peer.settimeout(5)
            peer.recv(65536)
            peer.sendall(OK)
            stop.wait(5)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        return apart(bed, work)
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("name", ["a.test", "A.TEST", "x.wild.test", "y.wild.test"])
def test_a_certificate_is_found_by_name(bed: Bed, server: Server, name: str) -> None:
    assert answering(bed, server, lambda: fetch(bed, name, name.encode())) == OK


@pytest.mark.parametrize("name", ["unknown.test", "b.x.wild.test", None])
def test_other_names_end_the_handshake(bed: Bed, server: Server, name: str | None) -> None:
    with pytest.raises(ssl.SSLError) as caught:
        apart(bed, lambda: fetch(bed, name, b"a.test"))
    assert caught.value.reason == "TLSV1_UNRECOGNIZED_NAME"


@pytest.mark.parametrize("name", [None, "127.0.0.1"])
def test_the_default_certificate_is_for_clients_that_name_nobody(bed: Bed, name: str | None) -> None:
    server = bed.server()
    publish(bed, server, EXACT, default=WILD)
    settings = context()
    settings.check_hostname = False
    assert answering(bed, server, lambda: fetch(bed, name, b"a.test", settings)) == OK


def test_a_host_that_the_certificate_does_not_cover_is_misdirected(bed: Bed, server: Server) -> None:
    assert apart(bed, lambda: fetch(bed, "a.test", b"c.test")).startswith(b"HTTP/1.1 421 ")


def test_a_host_that_the_certificate_covers_is_not(bed: Bed, server: Server) -> None:
    assert answering(bed, server, lambda: fetch(bed, "x.wild.test", b"y.wild.test")) == OK


def test_certificates_come_and_go_with_snapshots(bed: Bed, server: Server) -> None:
    publish(bed, server, OTHER)
    assert answering(bed, server, lambda: fetch(bed, "c.test", b"c.test")) == OK
    with pytest.raises(ssl.SSLError):
        apart(bed, lambda: fetch(bed, "a.test", b"a.test"))


def test_a_broken_certificate_is_left_out(bed: Bed) -> None:
    server = bed.server()
    publish(bed, server, model.Certificate(names=("c.test",), chain="nonsense", key="nonsense"), EXACT)
    assert answering(bed, server, lambda: fetch(bed, "a.test", b"a.test")) == OK


def test_only_http_1_1_is_offered_and_old_versions_are_refused(bed: Bed, server: Server) -> None:
    settings = context()
    settings.set_alpn_protocols(["h2", "http/1.1"])

    def shake() -> bytes:
        with dial(bed, "a.test", settings) as client:
            return (client.selected_alpn_protocol() or "").encode()

    assert apart(bed, shake) == b"http/1.1"


def test_requests_are_said_to_be_secure(bed: Bed, server: Server) -> None:
    read = threading.Event()

    def ask() -> bytes:
        with dial(bed, "a.test") as client:
            client.sendall(GET % b"a.test")
            read.wait(5)  # the request of a client that has gone need not reach the instance
            return b""

    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask)
        head = server.accept().head()
        read.set()
    assert b"\r\nX-Forwarded-Proto: https\r\n" in head
    assert b"\r\nX-Forwarded-Port: %d\r\n" % bed.ports["https"] in head


def test_large_bodies_pass_both_ways(bed: Bed, server: Server) -> None:
    size = 5_000_000
    body = bytes(range(256)) * (size // 256)

    def post() -> bytes:
        with dial(bed, "a.test") as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            got = b""
            while len(got) < len(body):
                got += client.recv(1 << 20)
            return got

    def echo() -> None:
        server.sock.settimeout(5)
        peer, _ = server.sock.accept()
        with peer:
            got = b""
            while len(got.partition(b"\r\n\r\n")[2]) < len(body):
                got += peer.recv(1 << 20)
            back = got.partition(b"\r\n\r\n")[2]
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(back) + back)

    thread = threading.Thread(target=echo)
    thread.start()
    got = apart(bed, post)
    thread.join()
    assert got.partition(b"\r\n\r\n")[2] == body[: len(got.partition(b"\r\n\r\n")[2])]


def test_an_answer_until_close_ends_with_a_notice(bed: Bed, server: Server) -> None:
    def ask() -> bytes:
        with dial(bed, "a.test") as client:
            client.sendall(b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
            got = b""
            while piece := client.recv(65536):  # an end without notice raises
                got += piece
            return got

    assert answering(bed, server, ask).endswith(b"ok")


def test_a_handshake_that_does_not_get_on_is_ended(bed: Bed, server: Server) -> None:
    client = bed.client(b"\x16\x03\x01", name="https")
    bed.settle()
    assert bed.worker.shaking == 1
    bed.skip(12.0)
    client.rest()
    assert bed.worker.shaking == 0


def test_plain_http_on_the_tls_port_ends_the_connection(bed: Bed, server: Server) -> None:
    client = bed.client(GET % b"a.test", name="https")
    client.rest()
    assert bed.worker.shaking == 0


def test_the_status_is_told_over_tls_too(bed: Bed, server: Server) -> None:
    def ask() -> bytes:
        with dial(bed, "a.test") as client:
            client.sendall(b"GET /_tako/status HTTP/1.1\r\nHost: a.test\r\n\r\n")
            return client.recv(65536)

    assert b'"healthy":true' in apart(bed, ask)
