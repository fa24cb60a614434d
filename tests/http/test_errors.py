"""Answers of the edge itself."""

import h11
import pytest

from tako_modules.http import errors


@pytest.mark.parametrize("status", errors.PHRASES)
def test_a_page_is_a_whole_answer_that_nobody_keeps(status: int) -> None:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(errors.PAGES[status])
    head, body, end = client.next_event(), client.next_event(), client.next_event()
    assert isinstance(head, h11.Response)
    assert isinstance(body, h11.Data)
    assert isinstance(end, h11.EndOfMessage)
    fields = dict(head.headers)
    assert head.status_code == status
    assert fields[b"cache-control"] == b"no-store"
    assert b"close" in fields[b"connection"]
    assert bytes(body.data).startswith(b"%d " % status)


def test_a_page_names_request_and_reason() -> None:
    page = errors.page(502, reason=b"the app closed the connection", request_id=b"r1", close=False)
    assert b"\r\nX-Request-Id: r1\r\n" in page
    assert b"Connection" not in page
    assert page.endswith(b"\r\n\r\n502 Bad Gateway\nthe app closed the connection\nrequest r1\n")


def test_the_page_for_head_has_the_length_and_no_body() -> None:
    whole, head = errors.page(404), errors.page(404, head=True)
    assert head.endswith(b"\r\n\r\n")
    assert whole.startswith(head)


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        (503, b"", b"\r\nRetry-After: 1\r\n"),
        (503, b"Retry-After: 30\r\n", b"\r\nRetry-After: 30\r\n"),
        (426, b"", b"\r\nSec-WebSocket-Version: 13\r\nConnection: close, Upgrade\r\n"),
    ],
    ids=["503", "503 its own", "426"],
)
def test_a_status_says_what_it_owes(status: int, fields: bytes, expected: bytes) -> None:
    page = errors.page(status, fields=fields)
    assert expected in page
    assert page.count(b"Retry-After") == (status == 503)


def test_a_protocol_error_tells_status_and_reason() -> None:
    error = errors.ProtocolError(400, "malformed field line")
    assert (error.status, error.reason, str(error)) == (400, "malformed field line", "400: malformed field line")
