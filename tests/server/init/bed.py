"""A bed for init: starts it with toys and lets a test speak as control and as a worker."""

import contextlib
import json
import os
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

MAIN = Path(__file__).parents[3] / "tako_modules/server/init/main.py"
TOY = Path(__file__).with_name("toy.py")
PATIENCE = 8.0  # seconds for anything to come: two loaded cores
PACKET = 1 << 18
NOTHING: Mapping[str, object] = {}
Members = dict[str, object]


class Toy:
    """One toy process that init started: its pid, its descriptors, and the way to end it."""

    def __init__(self, link: socket.socket, words: Sequence[str], descriptors: Sequence[int]) -> None:
        self.name, self.pid, self.listeners = words[0], int(words[1]), list(words[2:])
        self.channel = socket.socket(fileno=descriptors[0])
        self.channel.settimeout(PATIENCE)
        self.given = [socket.socket(fileno=number) for number in descriptors[1:]]
        self._link = link

    def end(self, code: int) -> None:
        """Make it end with a code."""
        self._link.send(str(code).encode())

    def release(self) -> None:
        """Let go of the descriptors it was given."""
        for one in (self.channel, *self.given):
            one.close()

    def close(self) -> None:
        """Let go of everything."""
        self.release()
        self._link.close()


class Event:
    """One packet from init."""

    def __init__(self, data: bytes, descriptors: list[int]) -> None:
        self.members: Members = json.loads(data)
        self.descriptors = descriptors

    def __getitem__(self, name: str) -> object:
        return self.members[name]

    def number(self, name: str) -> int:
        """Give a member that is a whole number."""
        value = self.members[name]
        assert isinstance(value, int)
        return value

    def seconds(self, name: str) -> float:
        """Give a member that is a time."""
        value = self.members[name]
        assert isinstance(value, float)
        return value

    def text(self, name: str) -> str:
        """Give a member that is a text."""
        value = self.members[name]
        assert isinstance(value, str)
        return value

    @property
    def ports(self) -> list[tuple[str, str, int]]:
        """Give name, host and port of every listener of a hello."""
        listed = self.members["addresses"]
        assert isinstance(listed, list)
        return [(name, at.rpartition(":")[0], int(at.rpartition(":")[2])) for name, at in listed]

    @property
    def named(self) -> Members:
        """Give pid and start, as requests about it carry them."""
        return {"pid": self.members["pid"], "start": self.members["start"]}

    def read(self, *, to_end: bool = True) -> bytes:
        """Read its output pipe to the end, and close it."""
        (pipe,) = self.descriptors
        self.descriptors = []
        with open(pipe, "rb", buffering=0) as file:
            os.set_blocking(pipe, to_end)
            return file.read() or b""

    def close(self) -> None:
        """Close what came with it."""
        for number in self.descriptors:
            os.close(number)
        self.descriptors = []


class Control(Toy):
    """The toy control: the test is control; `rights` are what every spawn carries."""

    rights: Members
    events: list[Event]

    @classmethod
    def speak(cls, link: socket.socket, words: Sequence[str], descriptors: Sequence[int], rights: Members) -> "Control":
        """Begin to speak for a control that reported."""
        control = cls(link, words, descriptors)
        control.rights, control.events = rights, []
        return control

    def ask(self, op: str, members: Mapping[str, object] = NOTHING, descriptors: Sequence[int] = ()) -> None:
        """Send one request."""
        socket.send_fds(self.channel, [json.dumps({"op": op, **members}).encode()], list(descriptors))

    def receive(self) -> Event:
        """Take the next packet."""
        data, descriptors, _, _ = socket.recv_fds(self.channel, PACKET, 8)
        assert data, "init hung up"
        event = Event(data, descriptors)
        self.events.append(event)
        return event

    def expect(self, name: str, members: Mapping[str, object] = NOTHING) -> Event:
        """Take packets until one has this event and these members."""
        while True:
            event = self.receive()
            if event["event"] == name and members.items() <= event.members.items():
                return event

    def whole(self) -> list[Event]:
        """Take everything up to `end`."""
        start = len(self.events)
        self.expect("end")
        return self.events[start:]

    def script(self, text: str) -> Members:
        """Write the members of `spawn` for a shell script."""
        return {"argv": ["/bin/sh", "-c", text], "env": {"PATH": "/usr/bin:/bin"}, "cwd": "/", **self.rights}

    def spawn(self, script: str, ident: str = "web", members: Mapping[str, object] = NOTHING) -> Event:
        """Start a shell script as an instance and await the answer."""
        self.ask("spawn", {**self.script(script), "id": ident, **members})
        while (event := self.receive())["event"] not in ("spawned", "failed") or event["id"] != ident:
            pass
        return event

    def silent(self, seconds: float = 0.2) -> bool:
        """Tell whether init says nothing for a while."""
        readable, _, _ = select.select([self.channel], [], [], seconds)
        return not readable

    def release(self) -> None:
        """Let go of the descriptors it was given."""
        for event in self.events:
            event.close()
        super().release()


class Bed:
    """One init with its toys, in a folder."""

    def __init__(self, folder: Path, *, rootless: bool, user: int | None = None) -> None:
        self.folder = folder
        self.socket = folder / "tako.sock"
        self.rootless = rootless
        self.file = MAIN
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes]
        self._user = user
        self._name = f"tako-test-{secrets.token_hex(8)}"
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._server.bind("\0" + self._name)
        self._server.listen(64)
        self._server.settimeout(PATIENCE)
        self._reported: list[tuple[socket.socket, list[str], list[int]]] = []
        self._toys: list[Toy] = []

    @property
    def toy(self) -> str:
        """Write how the toy is started, for a shell."""
        return f"{sys.executable} -IS {TOY}"

    def argv(self, *more: str, workers: int = 0, listen: Sequence[str] = ("http=127.0.0.1:0",)) -> list[str]:
        """Write init's options."""
        toy = [sys.executable, "-IS", str(TOY)]
        listeners = [word for one in listen for word in ("--listen", one)]
        return [
            *listeners,
            *("--socket", str(self.socket), "--workers", str(workers)),
            *("--control", json.dumps([*toy, "control"]), "--worker", json.dumps([*toy, "worker"])),
            *("--worker-env", f"TOY={self._name}"),
            *(["--rootless"] if self.rootless else ["--worker-user", "root"]),
            *more,
        ]

    def start(
        self,
        *more: str,
        workers: int = 0,
        listen: Sequence[str] = ("http=127.0.0.1:0",),
        env: Mapping[str, str] | None = None,
        keep: Sequence[int] = (),
    ) -> "Bed":
        """Start init; `keep`: descriptors it inherits."""
        return self.start_with(self.argv(*more, workers=workers, listen=listen), env=env, keep=keep)

    def start_with(self, argv: Sequence[str], env: Mapping[str, str] | None = None, keep: Sequence[int] = ()) -> "Bed":
        """Start init with exactly these options."""
        return self.start_command([sys.executable, "-IS", str(self.file), *argv], env=env, keep=keep)

    def start_command(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, keep: Sequence[int] = ()
    ) -> "Bed":
        """Start init by a command."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/bin:/bin", "TOY": self._name, **(env or {})},
                pass_fds=keep,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
            )
        return self

    def accept(self, name: str) -> Toy:
        """Wait until a toy of this name reports."""
        toy = Toy(*self._await(name))
        self._toys.append(toy)
        return toy

    def control(self) -> Control:
        """Wait for control, and speak for it."""
        rights: Members = {} if self.rootless else {"uid": os.geteuid(), "gid": os.getegid()}
        control = Control.speak(*self._await("control"), rights)
        self._toys.append(control)
        return control

    def _await(self, name: str) -> tuple[socket.socket, list[str], list[int]]:
        for number, report in enumerate(self._reported):
            if report[1][0] == name:
                return self._reported.pop(number)
        while True:
            link, _ = self._server.accept()
            data, descriptors, _, _ = socket.recv_fds(link, 1024, 16)
            report = link, data.decode().split(), descriptors
            if report[1][0] == name:
                return report
            self._reported.append(report)

    def signal(self, number: int) -> None:
        """Send init a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for init's end and give its exit code."""
        return self.process.wait(PATIENCE)

    def words(self) -> str:
        """Read what init wrote to standard error."""
        return self.log.read_text()

    def close(self) -> None:
        """End init, which ends its children, and let go of everything."""
        self.process.kill()
        self.process.wait()
        for toy in self._toys:
            toy.close()
        for link, _, descriptors in self._reported:
            link.close()
            for number in descriptors:
                os.close(number)
        self._server.close()


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        select.select([], [], [], 0.01)


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def process_status(pid: int) -> dict[str, str]:
    """Read /proc/<pid>/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@contextlib.contextmanager
def bed_in(folder: Path, *, rootless: bool, user: int | None = None) -> Iterator[Bed]:
    """Make a bed and clear it away."""
    bed = Bed(folder, rootless=rootless, user=user)
    try:
        yield bed
    finally:
        bed.close()
