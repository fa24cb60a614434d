"""The bounds that the page of limits names are those of the code."""

import re

import pytest

from tako_modules.build.limits import LIMITS
from tako_modules.config import rules
from tako_modules.http import h1, headers
from tako_modules.model import route
from tako_modules.plan import retention
from tako_modules.protocol.messages import RunRelease
from tako_modules.proxy import access
from tako_modules.proxy import limits as edge
from tako_modules.server import publish, tidy
from tako_modules.server.ops import deploy, prepare, upload
from tako_modules.telemetry import logfile, shelf

from .pages import ROOT

RELEASE = RunRelease(app="a", fence=1, version="v", run="r")
EXPECTED = {
    "request line": f"{h1.REQUEST_LINE_LIMIT >> 10} KiB",
    "head of a request": f"{h1.REQUEST_HEAD_LIMIT >> 10} KiB, {headers.FIELD_COUNT_LIMIT} fields",
    "head of an app's answer": f"{h1.RESPONSE_HEAD_LIMIT >> 10} KiB",
    "body of a request": "none of its own",
    "wait for a head": f"{edge.HEAD_SECONDS:.0f} s",
    "wait for a TLS handshake": f"{edge.HANDSHAKE_SECONDS:.0f} s",
    "wait for the next request of a connection": f"{edge.IDLE_SECONDS:.0f} s",
    "silence in the body of a request": f"{edge.BODY_SECONDS:.0f} s",
    "wait for an app to answer": f"{edge.FIRST_BYTE_SECONDS:.0f} s",
    "silence in an app's answer": f"{edge.RESPONSE_SECONDS:.0f} s",
    "silence in a tunnel (WebSocket)": f"{edge.TUNNEL_IDLE_SECONDS / 3600:.0f} h",
    "requests that wait for a sleeping app": (
        f"{publish.HOLD_WAITING}, {publish.HOLD_BYTES >> 20} MiB, {publish.HOLD_SECONDS:.0f} s each"
    ),
    "artifact": f"{upload.LARGEST_ARTIFACT >> 30} GiB, {LIMITS.entries:,} entries",
    "instances of an app on a server": f"{deploy.MOST_INSTANCES}",
    "routes of an app": f"{route.ROUTES_LIMIT}, of {route.ROUTE_LIMIT} characters each",
    "variables of an environment": f"{rules.VALUES_LIMIT >> 10} KiB together",
    "`release` command": f"{RELEASE.timeout / 60:.0f} min",
    "one command of an install of dependencies": f"{prepare.INSTALL_SECONDS / 60:.0f} min",
    "a line of output": f"{logfile.LINE_LIMIT >> 10} KiB",
    "kept output of an app": f"{shelf.SERVICE_BYTES >> 20} MiB",
    "access log": f"{access.FILES} files of {access.FILE_BYTES >> 20} MiB",
    "releases that are kept": (
        f"the last {retention.GOOD_KEPT} good ones, and all that are younger than "
        f"{retention.YOUNG_SECONDS / 86400:.0f} days while {tidy.LOW_DISK >> 30} GiB is free"
    ),
}


def rows() -> dict[str, str]:
    """Read the table under the heading Bounded."""
    section = (ROOT / "docs/reference/limits.md").read_text().split("\n## Bounded\n")[1]
    found = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
    return {what: bound for what, bound in found if what not in ("what", "---")}


def test_nothing_is_left_out() -> None:
    assert rows().keys() == EXPECTED.keys()


@pytest.mark.parametrize("what", EXPECTED)
def test_a_bound_is_that_of_the_code(what: str) -> None:
    assert rows()[what] == EXPECTED[what]
