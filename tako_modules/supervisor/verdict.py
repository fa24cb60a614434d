"""What an answer to a probe means: pure decisions about what was seen.

| the release has | at start | afterwards |
|---|---|---|
| `[health].path` | GET it: 2xx or 3xx | the same |
| an SDK, by its answer to STATUS_PROBES | its word: healthy | the same |
| neither | GET `/`: below 500 | a TCP connection; once a client's request has failed there, any answer to GET `/` |
"""

import msgspec

from tako_modules.model.route import Route

__all__ = ["STATUS_PROBES", "Seen", "answers", "app_host", "probe_path", "ready", "sdk_answer", "sdk_well"]

INTERNAL_HOST = "tako.internal"
STATUS_PROBES = ("/status", "/_tako/status")  # asked in this order, with INTERNAL_HOST
PROBE_PATH_RULE = "the health check must answer 2xx or 3xx"
READY_RULE = "GET / must answer below 500"
SDK_RULE = "the app must report the status healthy"
ANSWER_RULE = "the app must answer GET / after requests of clients have failed"
SERVED_RULE = "the app must accept connections on its $PORT"
_WELL = ("healthy", "ready", "ok")
_OK, _REDIRECTS_END, _SERVER_ERRORS = 200, 400, 500


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, or the lack of one: status 0 and the reason in `error`."""

    url: str
    host: str
    status: int = 0
    location: str = ""
    body: str = ""
    error: str = ""

    @property
    def answered(self) -> bool:
        """Tell whether it was an HTTP response."""
        return self.status > 0

    @property
    def words(self) -> str:
        """Say for people what was asked and what came."""
        asked = f"GET {self.url} (Host {self.host})"
        if not self.answered:
            return f"{asked}: {self.error}"
        location = f", Location {self.location}" if self.location else ""
        return f"{asked} answered {self.status}{location}"


class SdkAnswer(msgspec.Struct, frozen=True):
    """What an app with our SDK says of itself; other members are ignored."""

    status: str
    instance_id: int | str


def probe_path(seen: Seen) -> str:
    """Judge the answer of `[health].path`: the rule that it breaks, "" for none."""
    return "" if _OK <= seen.status < _REDIRECTS_END else PROBE_PATH_RULE


def ready(seen: Seen) -> str:
    """Judge the answer of `/` of an app without an SDK: the rule that it breaks, "" for none."""
    return "" if 0 < seen.status < _SERVER_ERRORS else READY_RULE


def answers(seen: Seen) -> str:
    """Judge an app on which requests have failed: it may answer what it likes, but it must."""
    return "" if seen.answered else ANSWER_RULE


def sdk_answer(seen: Seen, number: int) -> SdkAnswer | None:
    """Read a status answer; None when it is not our SDK speaking of this very instance."""
    if seen.status != _OK:
        return None
    try:
        answer = msgspec.json.decode(seen.body, type=SdkAnswer)
    except msgspec.MsgspecError:
        return None
    return answer if str(answer.instance_id) == str(number) else None


def sdk_well(answer: SdkAnswer | None) -> str:
    """Judge the word of an SDK: the rule that it breaks, "" for none."""
    return "" if answer is not None and answer.status in _WELL else SDK_RULE


def app_host(routes: tuple[str, ...]) -> str:
    """Choose the Host of probes: the first exact route, else the first wildcard with `www` for its star."""
    found = [Route.parse(route) for route in routes]
    exact = next((route.host for route in found if not route.wildcard), "")
    return exact or next((f"www.{route.host}" for route in found), "localhost")
