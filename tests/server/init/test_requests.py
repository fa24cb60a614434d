"""Requests: read strictly, without a process."""

import pytest

from tako_modules.server.init.fields import Fields, Refused
from tako_modules.server.init.launch import Identity
from tako_modules.server.init.requests import Ack, Kill, Named, Reexec, Request, Spawn, Status, read

SPAWN: dict[str, object] = {"id": "web", "argv": ["app"], "env": {}, "cwd": "/"}


@pytest.mark.parametrize(
    ("op", "members", "request_"),
    [
        ("kill", {"pid": 7, "start": 9, "signal": 15}, Kill(Named(7, 9), 15, "")),
        ("kill", {"pid": 7, "start": 9, "signal": 9, "scope": "process"}, Kill(Named(7, 9), 9, "process")),
        ("ack", {"pid": 7, "start": 9}, Ack(Named(7, 9))),
        ("reexec", {"file": None}, Reexec(None, None)),
        ("reexec", {"argv": []}, Reexec(None, ())),
        ("status", {"text": "x" * 5000}, Status("x" * 1024)),
    ],
)
def test_a_request_is_read(op: str, members: dict[str, object], request_: Request) -> None:
    assert read(Fields(members), op, 0) == request_


def test_defaults_of_a_spawn() -> None:
    request = read(Fields(SPAWN), "spawn", 0)
    assert isinstance(request, Spawn)
    assert (request.kind, request.umask, request.nofile, request.stdin) == ("instance", 0o077, None, False)
    assert (request.identity, request.cgroups, request.nice, request.oom_score_adj) == (None, (), None, None)


def test_an_identity_is_whole() -> None:
    request = read(Fields({**SPAWN, "uid": 5, "gid": 6, "groups": [7]}), "spawn", 0)
    assert isinstance(request, Spawn)
    assert request.identity == Identity(5, 6, (7,))


@pytest.mark.parametrize(
    ("op", "members", "why"),
    [
        ("spawn", {**SPAWN, "uid": 5}, "gid is missing"),
        ("spawn", {**SPAWN, "gid": 5}, "uid is missing"),
        ("spawn", {**SPAWN, "groups": [5]}, "groups without uid and gid"),
        ("spawn", {**SPAWN, "uid": 2**32 - 1, "gid": 5}, "uid is not a number from"),
        ("spawn", {**SPAWN, "uid": True, "gid": 5}, "uid is not a number from"),
        ("spawn", {**SPAWN, "uid": -1, "gid": 5}, "uid is not a number from"),
        ("spawn", {**SPAWN, "argv": ["a", 5]}, "argv is not a list of texts"),
        ("spawn", {**SPAWN, "argv": "a"}, "argv is not a list"),
        ("spawn", {**SPAWN, "argv": [""]}, "argv is empty"),
        ("spawn", {**SPAWN, "env": {"A": 5}}, "env has a value that is not a text"),
        ("spawn", {**SPAWN, "env": []}, "env is not an object"),
        ("spawn", {**SPAWN, "stdin": "no"}, "stdin is not true or false"),
        ("spawn", {**SPAWN, "nofile": 0}, "nofile is not a number from"),
        ("spawn", {**SPAWN, "nice": 20}, "nice is not a number from -20 to 19"),
        ("spawn", {**SPAWN, "oom_score_adj": 1001}, "oom_score_adj is not a number from"),
        ("spawn", {**SPAWN, "id": ""}, "id has not 1 to 255 characters"),
        ("spawn", {**SPAWN, "id": "x" * 256}, "id has not 1 to 255 characters"),
        ("kill", {"pid": 0, "start": 1, "signal": 9}, "pid is not a number from 1"),
        ("kill", {"pid": -1, "start": 1, "signal": 9}, "pid is not a number from 1"),
        ("kill", {"pid": 1, "start": 1, "signal": 0}, "signal is not a number from 1"),
        ("kill", {"pid": 1, "start": 1, "signal": 9, "scope": "all"}, "scope is not one of"),
        ("stopped", {"now": True}, "unknown key now"),
    ],
)
def test_a_request_is_refused(op: str, members: dict[str, object], why: str) -> None:
    with pytest.raises(Refused, match=why):
        read(Fields(members), op, 0)
