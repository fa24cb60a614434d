"""State: what goes over a re-exec comes back whole, or not at all."""

import json
import os

import pytest

from tako_modules.server.init.family import Child
from tako_modules.server.init.fields import Refused
from tako_modules.server.init.state import Kept, State, load, save

CHILD = Child("instance", "web", 7, 123456789, 2, 1.5, 11)
STATE = State(
    build=3,
    listeners={"http=0.0.0.0_80": 5, "mgmt=/run/tako.sock": 6},
    living=(CHILD, CHILD._replace(pid=8, kind="worker", retired=True, descriptor=None)),
    ended=(CHILD._replace(pid=9, code=-9, ended=2.5, descriptor=12),),
    restarts={"worker 0": 4},
    control=13,
    queue=((b'{"event": "x"}', [14, 15]), (b"\xff", [])),
    snapshot=Kept(b"\0snapshot", 16),
)
EMPTY = State(0, {}, (), (), {}, None, (), None)


@pytest.mark.parametrize("state", [STATE, EMPTY], ids=["full", "empty"])
def test_it_comes_back_whole(state: State) -> None:
    assert load(save(state)) == state


def test_every_descriptor_is_named() -> None:
    assert sorted(STATE.descriptors()) == [5, 6, 11, 12, 13, 14, 15, 16]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 2}, "not of version 1"),
        ({"version": None}, "version is missing"),
        ({"more": 1}, "unknown key more"),
        ({"build": "x"}, "build is not a number"),
        ({"living": [{}]}, "kind is missing"),
    ],
)
def test_another_format_is_refused(change: dict[str, object], why: str) -> None:
    memory = save(STATE)
    with open(memory, "rb") as file:
        members = {**json.load(file), **change}
    changed = os.memfd_create("changed")
    os.write(changed, json.dumps(members).encode())
    os.lseek(changed, 0, os.SEEK_SET)
    with pytest.raises(Refused, match=why):
        load(changed)
