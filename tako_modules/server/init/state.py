"""What goes over a re-exec: one JSON object in a memfd, and the descriptors it names."""

import base64
import json
import os
from collections.abc import Iterator
from typing import NamedTuple

from .channel import Packet
from .family import Child
from .fields import Fields, Refused

__all__ = ["Kept", "State", "load", "save"]

VERSION = 1  # of this format: a file that does not know it refuses, and the init that asked goes on
NUMBERS = 1 << 63
DESCRIPTORS = 1 << 30


class Kept(NamedTuple):
    """The last snapshot: the packet that announces it, and the memfd."""

    packet: bytes
    descriptor: int


class State(NamedTuple):
    """Everything init knows; listeners by their store name, `control` is our end of its channel."""

    build: int
    listeners: dict[str, int]
    living: tuple[Child, ...]
    ended: tuple[Child, ...]
    restarts: dict[str, int]
    control: int | None
    queue: tuple[Packet, ...]
    snapshot: Kept | None

    def descriptors(self) -> Iterator[int]:
        """Give every descriptor that must stay open."""
        yield from self.listeners.values()
        for child in (*self.living, *self.ended):
            yield from child.descriptors
        for _, numbers in self.queue:
            yield from numbers
        if self.control is not None:
            yield self.control
        if self.snapshot is not None:
            yield self.snapshot.descriptor


def save(state: State) -> int:
    """Write the state into a memfd, at its beginning; returns the descriptor."""
    members = {
        "version": VERSION,
        "build": state.build,
        "listeners": state.listeners,
        "living": [child._asdict() for child in state.living],
        "ended": [child._asdict() for child in state.ended],
        "restarts": state.restarts,
        "control": state.control,
        "queue": [{"data": _text(data), "descriptors": numbers} for data, numbers in state.queue],
        "snapshot": state.snapshot
        and {"packet": _text(state.snapshot.packet), "descriptor": state.snapshot.descriptor},
    }
    memory = os.memfd_create("tako-init")
    with open(memory, "wb", closefd=False) as file:
        file.write(json.dumps(members).encode())
    os.lseek(memory, 0, os.SEEK_SET)
    return memory


def load(memory: int) -> State:
    """Read the state and close the memfd; raises Refused when it is of another version or not whole."""
    with open(memory, "rb") as file:
        fields = Fields.from_json(file.read())
    if fields.number("version", 0, NUMBERS) != VERSION:
        raise Refused(f"the state is not of version {VERSION}")
    state = State(
        build=fields.number("build", 0, NUMBERS),
        listeners=_numbers(fields.members("listeners")),
        living=tuple(_child(item) for item in fields.items("living")),
        ended=tuple(_child(item) for item in fields.items("ended")),
        restarts=_numbers(fields.members("restarts")),
        control=fields.some_number("control", 0, DESCRIPTORS),
        queue=tuple(_packet(item) for item in fields.items("queue")),
        snapshot=_kept(fields.members("snapshot")) if fields.has("snapshot") else None,
    )
    fields.end()
    return state


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _numbers(members: dict[str, object]) -> dict[str, int]:
    fields = Fields(members)
    return {name: fields.number(name, 0, NUMBERS) for name in members}


def _packet(item: object) -> Packet:
    fields = Fields(item)
    return base64.b64decode(fields.text("data")), list(fields.numbers("descriptors", 0, DESCRIPTORS))


def _kept(members: dict[str, object]) -> Kept:
    fields = Fields(members)
    return Kept(base64.b64decode(fields.text("packet")), fields.number("descriptor", 0, DESCRIPTORS))


def _child(item: object) -> Child:
    fields = Fields(item)
    child = Child(
        kind=fields.text("kind"),
        id=fields.text("id"),
        pid=fields.number("pid", 1, NUMBERS),
        start=fields.number("start", 0, NUMBERS),
        build=fields.number("build", 0, NUMBERS),
        since=fields.seconds("since"),
        descriptor=fields.some_number("descriptor", 0, DESCRIPTORS),
        retired=fields.flag("retired"),
        code=fields.some_number("code", -NUMBERS, NUMBERS),
        ended=fields.seconds("ended"),
    )
    fields.end()
    return child
