"""A control that publishes one literal snapshot and then only keeps the peace between init and the worker."""

import os
import shutil
import socket
import sys
from pathlib import Path

import anyio
import msgspec
from anyio.abc import TaskGroup

from tako_modules.base import log
from tako_modules.model import snapshot as feed
from tako_modules.server.feeds import Feed, Feeds
from tako_modules.server.link import InitEvent, Link
from tako_modules.server.main import CHANNEL

from .hosts import HOSTS

__all__ = ["Composition", "snapshot"]

DRAIN_SECONDS = 2.0  # whoever measures has what it wants: the rest may be cut
HOLD = feed.Hold(waiting=1000, bytes=64 << 20, seconds=30.0)  # as a server gives one worker


class Composition(msgspec.Struct, frozen=True, kw_only=True):
    """What is served, and the folder that is removed at the end; chain and key are paths of PEM files."""

    folder: str
    https_port: int
    backend_port: int
    chain: str
    key: str


def snapshot(made: Composition) -> feed.Snapshot:
    """Write the one snapshot: an app for each host, one instance each, over HTTP and HTTPS alike."""
    certificate = feed.Certificate(
        names=("*.bench.test",), chain=Path(made.chain).read_text(), key=Path(made.key).read_text()
    )
    return feed.Snapshot(
        epoch=1,
        generation=1,
        apps=tuple(_app(host, made.backend_port) for host in HOSTS),
        certificates=(certificate,),
        default_certificate=certificate,
        https_port=made.https_port,
    )


def _app(host: str, port: int) -> feed.AppTraffic:
    name = host.partition(".")[0]
    one = feed.InstanceAddress(id=f"{name}/1", port=port, version="bench")
    return feed.AppTraffic(id=name, version="bench", routes=(host,), https_only=False, hold=HOLD, instances=(one,))


class Control:
    """Init's other end: publishes, follows the worker's facts, and obeys the order to stop."""

    def __init__(self, made: Composition, tasks: TaskGroup) -> None:
        self._made = made
        self._tasks = tasks
        self._link = Link(socket.socket(fileno=CHANNEL))
        self._feeds = Feeds(lambda _: None, lambda: None)
        self._stopping = False

    async def run(self) -> None:
        """Work until init hangs up."""
        self._link.keep_snapshot(*self._feeds.publish(snapshot(self._made)))
        self._tasks.start_soon(self._link.write)
        await self._link.read(self._take)
        self._tasks.cancel_scope.cancel()

    def _take(self, event: InitEvent, descriptors: list[int]) -> None:
        """Act on one packet of init."""
        match event.event:
            case "child":
                self._feeds.add(Feed(event.child, socket.socket(fileno=descriptors[0])), self._tasks)
                return
            case "exit":
                self._feeds.forget(event.child)
                self._link.ack(event.child)
                self._end_if_alone()
            case "stop":
                self._stop()
            case "error" | "failed":
                log.event("bench.init", message=event.message)
        for descriptor in descriptors:
            os.close(descriptor)

    def _stop(self) -> None:
        for one in self._feeds:
            one.send(feed.encode(feed.Drain(seconds=DRAIN_SECONDS)))
            self._link.send("retire", {"pid": one.child.pid, "start": one.child.start})
        self._stopping = True
        self._end_if_alone()

    def _end_if_alone(self) -> None:
        if self._stopping and not any(True for _ in self._feeds):
            shutil.rmtree(self._made.folder, ignore_errors=True)
            self._link.send("stopped")


async def main(made: Composition) -> None:
    """Be control for one composition."""
    async with anyio.create_task_group() as tasks:
        await Control(made, tasks).run()


if __name__ == "__main__":
    anyio.run(main, msgspec.json.decode(sys.argv[1], type=Composition))
