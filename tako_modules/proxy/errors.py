"""What the data plane itself refuses, and why an upstream failed: literal tables."""

from enum import Enum
from typing import NamedTuple

__all__ = ["REFUSALS", "Failure", "Refusal", "Refused"]


class Refused(Enum):
    """The reasons to answer a request without an app."""

    NO_ROUTE = "no_route"
    MISDIRECTED = "misdirected"
    TOO_LARGE = "too_large"
    NO_INSTANCE = "no_instance"
    QUEUE_FULL = "queue_full"
    WAITED = "waited"
    APP_FAILED = "app_failed"
    UNREACHABLE = "unreachable"
    DIED = "died"
    BROKEN = "broken"
    LATE = "late"


class Refusal(NamedTuple):
    """A status and the words for the page; `failed` counts against the app's receipt."""

    status: int
    words: bytes
    failed: bool


REFUSALS = {
    Refused.NO_ROUTE: Refusal(404, b"no app answers for this host and path", False),
    Refused.MISDIRECTED: Refusal(421, b"this connection's certificate is not for this host", False),
    Refused.TOO_LARGE: Refusal(413, b"the request's body is larger than this app allows", False),
    Refused.NO_INSTANCE: Refusal(503, b"the app has no instance that could answer", True),
    Refused.QUEUE_FULL: Refusal(503, b"too many requests are waiting for the app to start", True),
    Refused.WAITED: Refusal(504, b"the app did not start in time", True),
    Refused.APP_FAILED: Refusal(502, b"the app could not be started", True),
    Refused.UNREACHABLE: Refusal(502, b"the app did not accept the connection", True),
    Refused.DIED: Refusal(502, b"the app closed the connection before it answered", True),
    Refused.BROKEN: Refusal(502, b"the app's answer was not valid HTTP", True),
    Refused.LATE: Refusal(504, b"the app did not answer in time", True),
}


class Failure(NamedTuple):
    """Why an exchange with an upstream came to nothing before its answer began.

    unsent: None, or everything of the request, none of which has been sent: it can go elsewhere whatever the method is.
    """

    refused: Refused
    reason: str
    unsent: list[bytes] | None
