"""What the edge passes on means the same to others, and to the edge itself.

Streams are the case files' bytes, mutated: most are broken somewhere, and what matters is that the edge never forwards
bytes that another reader understands differently (request smuggling). h11 and llhttp are the other readers.
"""

import contextlib
import itertools

import h11
import httptools
from hypothesis import given, settings
from hypothesis import strategies as st

from tako_modules.http import h1
from tako_modules.http.errors import ProtocolError

from . import cases, peers

REQUESTS = [case.wire for case in cases.read("requests")]
RESPONSES = [case.wire for case in cases.read("responses")]
FORWARDED = {
    folder: [case.wire for case in cases.read(folder) if case.verdict == "forwards"]
    for folder in ("requests", "responses")
}
SPICE = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b"\0",
        b":",
        b",",
        b";",
        b"0",
        b"5",
        b"%",
        b"/",
        b"\x80",
        b"\r\n\r\n",
        b"0\r\n\r\n",
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Host: b\r\n",
        b"Connection: close\r\n",
        b"chunked",
    ),
]
LLHTTP_METHODS = {b"GET", b"POST", b"OPTIONS", b"M-SEARCH"}


@st.composite
def _streams(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Take one stream or two in a row and change it in up to three places."""
    stream = b"".join(draw(st.lists(st.sampled_from(seeds), min_size=1, max_size=2)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(stream)))
        end = start + draw(st.integers(0, 3))
        stream = stream[:start] + draw(st.sampled_from(SPICE) | st.binary(max_size=2)) + stream[end:]
    return stream


def _cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    return [stream[start:end] for start, end in itertools.pairwise(places)]


def _same(whole: tuple[str, bytes], cut: tuple[str, bytes]) -> None:
    """Compare two verdicts: a refusal may find another first error, and may have let more of a body through."""
    if whole[0].isdigit():
        assert cut[0].isdigit()
    else:
        assert cut == whole


CUTS = st.lists(st.integers(0, 1 << 16), max_size=8)


@settings(max_examples=400, deadline=None)
@given(_streams(REQUESTS), CUTS)
def test_cuts_do_not_matter_to_requests(stream: bytes, cuts: list[int]) -> None:
    _same(peers.read_requests([stream]), peers.read_requests(_cut(stream, cuts)))


@settings(max_examples=400, deadline=None)
@given(_streams(RESPONSES), CUTS)
def test_cuts_do_not_matter_to_responses(stream: bytes, cuts: list[int]) -> None:
    _same(peers.read_responses([stream]), peers.read_responses(_cut(stream, cuts)))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_can_do_more_than_be_refused(stream: bytes) -> None:
    peers.read_requests([stream])
    peers.read_responses([stream])


def _h11_requests(stream: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Read a stream as h11 does: method, target and body of each request."""
    found: list[tuple[bytes, bytes, bytes]] = []
    while stream:
        server = h11.Connection(h11.SERVER)
        server.receive_data(stream)
        head, body = server.next_event(), b""
        assert isinstance(head, h11.Request)
        while isinstance(event := server.next_event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage)
        found.append((head.method, head.target, body))
        stream = server.trailing_data[0]
    return found


class _Listener:
    """Collects what llhttp calls: method, target and body of each request."""

    def __init__(self) -> None:
        self.found: list[tuple[bytes, bytes, bytes]] = []
        self.parser = httptools.HttpRequestParser(self)
        self._target = self._body = b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.found.append((self.parser.get_method(), self._target, self._body))
        self._target = self._body = b""


def _ours(stream: bytes) -> tuple[str, bytes, list[h1.RequestBlock]]:
    reader = peers.RequestReader()
    try:
        reader.feed(stream)
    except ProtocolError as error:
        return str(error.status), reader.out, reader.blocks
    return "waits" if reader.waiting() else "forwards", reader.out, reader.blocks


@settings(max_examples=600, deadline=None)
@given(_streams(FORWARDED["requests"]))
def test_others_read_the_very_requests_that_were_passed_on(stream: bytes) -> None:
    verdict, out, blocks = _ours(stream)
    if verdict != "forwards":
        return
    assert _ours(out)[0] == "forwards"
    read = _h11_requests(out)
    assert len(read) == len(blocks)
    if any(block.upgrade for block in blocks) or not {method for method, _, _ in read} <= LLHTTP_METHODS:
        return
    listener = _Listener()
    with contextlib.suppress(httptools.HttpParserError):  # it refuses some chunk extensions that are allowed
        listener.parser.feed_data(out)
    assert listener.found == read[: len(listener.found)]


@settings(max_examples=400, deadline=None)
@given(_streams(FORWARDED["responses"]))
def test_others_read_the_very_responses_that_were_passed_on(stream: bytes) -> None:
    reader = peers.ResponseReader(b"GET")
    try:
        reader.feed(stream)
        reader.finish()
    except ProtocolError:
        return
    if reader.waiting() or any(head.upgrade for head in reader.heads):
        return
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(reader.out)
    for head in reader.heads:
        event = client.next_event()
        assert isinstance(event, h11.InformationalResponse | h11.Response)
        assert event.status_code == head.status
        if isinstance(event, h11.Response):
            break
    while isinstance(client.next_event(), h11.Data):
        pass
    assert client.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.SEND_RESPONSE)
