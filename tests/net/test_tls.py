"""TLS streams against OpenSSL on the other side, byte by byte where that matters."""

import contextlib
import socket
import ssl

import msgspec
import pytest
import trustme

from tako_modules.model.snapshot import Certificate
from tako_modules.net.tls import Leaf, Leaves, listening_context
from tako_modules.net.tls_streams import Shaker, TlsStream

from .pairs import Ear, Turner

AUTHORITY = trustme.CA()
BIG = bytes(range(256)) * 20_000


def certificate(*names: str) -> Certificate:
    """Issue a certificate for names."""
    issued = AUTHORITY.issue_cert(*names)
    chain = "".join(blob.bytes().decode() for blob in issued.cert_chain_pems)
    return Certificate(names=names, chain=chain, key=issued.private_key_pem.bytes().decode())


CERTIFICATE = certificate("a.test")
LEAVES = Leaves([CERTIFICATE])


class Phone:
    """A TLS client without threads: OpenSSL between two buffers, a raw socket below."""

    def __init__(self, turn: Turner, ear: Ear, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        self.turn = turn
        self.shaker = Shaker(listening_context(LEAVES.find))
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.sock = socket.create_connection(server.getsockname())
            accepted, _ = server.accept()
        accepted.setblocking(False)
        self.sock.setblocking(False)
        self.stream = TlsStream(turn.loop, accepted, self.shaker)
        self.stream.start(ear)
        turn.open += [self.stream, self.sock]
        context = ssl.create_default_context()
        context.maximum_version = version
        AUTHORITY.configure_trust(context)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="a.test")

    def push(self, size: int = 1 << 30) -> None:
        """Send what OpenSSL has written, in pieces."""
        data = self.outgoing.read()
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            while piece:
                with contextlib.suppress(BlockingIOError):
                    piece = piece[self.sock.send(piece) :]
                self.turn.loop.turn()

    def pull(self) -> None:
        """Take what has come."""
        with contextlib.suppress(BlockingIOError):
            while data := self.sock.recv(1 << 20):
                self.incoming.write(data)

    def shake(self, size: int = 1 << 30) -> None:
        """Shake hands."""

        def done() -> bool:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.push(size)
                self.pull()
                return False
            self.push(size)
            return True

        self.turn.until(done)

    def send(self, data: bytes, size: int = 1 << 30) -> None:
        """Send plaintext."""
        self.tls.write(data)
        self.push(size)

    def take(self, size: int) -> bytes:
        """Wait for that much plaintext."""
        got = bytearray()

        def enough() -> bool:
            self.pull()
            with contextlib.suppress(ssl.SSLWantReadError):
                while piece := self.tls.read(65536):
                    got.extend(piece)
            return len(got) >= size

        self.turn.until(enough)
        return bytes(got)

    def ended(self) -> bool:
        """Tell whether the server has said that nothing follows."""
        self.pull()
        try:
            return self.tls.read(1) == b""
        except ssl.SSLWantReadError:
            return False


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


@VERSIONS
@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_handshake_and_messages_in_any_pieces(turn: Turner, version: ssl.TLSVersion, size: int) -> None:
    ear = Ear()
    phone = Phone(turn, ear, version)
    assert phone.shaker.pending == 1
    phone.shake(size)
    turn.until(lambda: ear.heard == ["open"])
    assert phone.shaker.pending == 0
    phone.send(b"ping", size)
    turn.until(lambda: ear.got == b"ping")
    phone.stream.send(b"pong")
    assert phone.take(4) == b"pong"
    assert isinstance(phone.stream.context, Leaf)


def test_data_in_the_packet_that_ends_the_handshake(turn: Turner) -> None:
    ear = Ear()
    phone = Phone(turn, ear)
    with contextlib.suppress(ssl.SSLWantReadError):
        phone.tls.do_handshake()
    phone.push()

    def shaken() -> bool:
        turn.loop.turn()
        phone.pull()
        try:
            phone.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    turn.until(shaken)
    phone.tls.write(b"at once")
    phone.push()
    turn.until(lambda: ear.got == b"at once")
    assert ear.heard == ["open"]


@pytest.mark.parametrize("bulky", [True, False], ids=["bulk", "small"])
def test_much_data_both_ways(turn: Turner, bulky: bool) -> None:
    ear = Ear()
    phone = Phone(turn, ear)
    phone.stream.want_bulk(bulky)
    phone.shake()
    phone.send(BIG)
    turn.until(lambda: len(ear.got) == len(BIG))
    assert ear.got == BIG
    phone.stream.send(BIG)
    assert phone.take(len(BIG)) == BIG


def test_many_small_records_in_one_read(turn: Turner) -> None:
    ear = Ear()
    phone = Phone(turn, ear)
    phone.shake()
    for number in range(200):
        phone.tls.write(b"%d," % number)
    phone.push()
    turn.until(lambda: ear.got.endswith(b"199,"))
    assert ear.got == b"".join(b"%d," % number for number in range(200))


def test_a_paused_stream_keeps_everything(turn: Turner) -> None:
    ear = Ear(lambda _: phone.stream.pause())
    phone = Phone(turn, ear)
    phone.stream.want_bulk(True)
    phone.shake()
    phone.send(BIG[:3_000_000])
    while len(ear.got) < 3_000_000:
        before = len(ear.got)
        turn.settle()
        assert len(ear.got) - before <= len(turn.loop.buffer)
        phone.stream.resume()
        turn.settle()
    assert ear.got == BIG[:3_000_000]


def test_data_before_the_notice_of_the_end_is_delivered(turn: Turner) -> None:
    ear = Ear()
    phone = Phone(turn, ear)
    phone.shake()
    phone.tls.write(b"last words")
    with contextlib.suppress(ssl.SSLWantReadError):
        phone.tls.unwrap()
    phone.push()
    turn.until(lambda: "eof" in ear.heard)
    assert ear.got == b"last words"
    assert not phone.stream.closed
    phone.stream.send(b"answer")
    phone.stream.finish()
    turn.until(lambda: phone.stream.closed)
    assert ear.heard == ["open", "eof", "lost"]


def test_an_end_without_notice_is_an_end(turn: Turner) -> None:
    ear = Ear()
    phone = Phone(turn, ear)
    phone.shake()
    phone.send(b"x")
    phone.sock.shutdown(socket.SHUT_WR)
    turn.until(lambda: "eof" in ear.heard)
    assert ear.got == b"x"


def test_broken_ciphertext_is_a_loss_after_what_was_good(turn: Turner) -> None:
    ear = Ear()
    phone = Phone(turn, ear)
    phone.shake()
    turn.until(lambda: ear.heard == ["open"])
    phone.tls.write(b"good")
    phone.sock.send(phone.outgoing.read() + b"\x17\x03\x03\x00\x20" + b"\0" * 32)
    turn.until(lambda: phone.stream.closed)
    assert ear.got == b"good"
    assert ear.heard[-1].startswith("lost TLS: ")


@pytest.mark.parametrize("how", ["shut", "finish"])
def test_the_client_is_told_of_the_end(turn: Turner, how: str) -> None:
    ear = Ear()
    phone = Phone(turn, ear)
    phone.shake()
    turn.until(lambda: ear.heard == ["open"])
    phone.stream.send(b"bye")
    if how == "shut":
        phone.stream.shut()
    else:
        phone.stream.finish()
    assert phone.take(3) == b"bye"
    turn.until(phone.ended)


def test_sending_after_the_notice_of_the_end_is_a_loss_and_no_exception(turn: Turner) -> None:
    ear = Ear()
    phone = Phone(turn, ear)
    phone.shake()
    turn.until(lambda: ear.heard == ["open"])
    phone.stream.shut()
    assert phone.stream.send(b"too late") is False
    turn.until(lambda: phone.stream.closed)
    assert ear.heard[-1].startswith("lost")


def test_old_versions_are_refused(turn: Turner) -> None:
    ear = Ear()
    phone = Phone(turn, ear)
    # a ClientHello of TLS 1.0: record, handshake header, version, random, no session, one cipher, no compression
    body = b"\x03\x01" + b"r" * 32 + b"\x00" + b"\x00\x02\x00\x2f" + b"\x01\x00"
    hello = b"\x01" + len(body).to_bytes(3, "big") + body
    phone.sock.send(b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello)
    turn.until(lambda: phone.stream.closed)
    assert "UNSUPPORTED_PROTOCOL" in ear.heard[-1]
    assert phone.shaker.pending == 0
    phone.sock.setblocking(True)
    assert phone.sock.recv(100)[:1] == b"\x15"  # an alert says why


def test_a_closed_handshake_is_counted_off(turn: Turner) -> None:
    phone = Phone(turn, Ear())
    phone.stream.close()
    phone.stream.close()
    assert phone.shaker.pending == 0


# -- certificates


@pytest.fixture(name="leaves", scope="module")
def _leaves() -> Leaves:
    return Leaves(
        [certificate("a.test", "www.a.test"), certificate("*.a.test"), certificate("A.Upper.test")], CERTIFICATE
    )


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.test", {"a.test", "www.a.test"}),
        ("www.a.test", {"a.test", "www.a.test"}),
        ("x.a.test", {"*.a.test"}),
        ("X.A.test.", {"*.a.test"}),
        ("a.upper.test", {"a.upper.test"}),
        ("y.x.a.test", None),
        ("b.test", None),
        ("127.0.0.1", set()),
        ("::1", set()),
        (None, set()),
    ],
)
def test_names_are_found_exactly_then_by_wildcard(leaves: Leaves, name: str | None, found: set[str] | None) -> None:
    leaf = leaves.find(name)
    assert (None if leaf is None else set(leaf.names)) == found


@pytest.mark.parametrize(
    ("host", "covered"), [("a.test", True), ("x.a.test", True), ("y.x.a.test", False), ("b.test", False)]
)
def test_a_certificate_covers_its_names(host: str, covered: bool) -> None:
    assert Leaf.of(certificate("a.test", "*.a.test")).covers(host) is covered
    assert Leaf.of(CERTIFICATE, anything=True).covers(host)


def test_contexts_are_kept_over_snapshots(leaves: Leaves) -> None:
    again = Leaves([CERTIFICATE], None, Leaves([CERTIFICATE]))
    assert again.problems == []
    before = Leaves([CERTIFICATE])
    assert Leaves([CERTIFICATE], None, before).find("a.test") is before.find("a.test")


ENCRYPTED = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIIBHDBXBgkqhkiG9w0BBQ0wSjA=
-----END ENCRYPTED PRIVATE KEY-----
"""
BROKEN = {
    "no certificate": {"chain": "nonsense"},
    "no key": {"key": ""},
    "another key": {"key": certificate("b.test").key},
    "an encrypted key": {"key": ENCRYPTED},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_used_is_left_out_and_said(change: dict[str, str]) -> None:
    broken = msgspec.structs.replace(CERTIFICATE, names=("c.test",), **change)
    leaves = Leaves([broken, CERTIFICATE])
    assert [names for names, _ in leaves.problems] == [("c.test",)]
    assert leaves.find("c.test") is None
    assert leaves.find("a.test") is not None
