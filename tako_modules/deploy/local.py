"""The built-in server `local`: a user-level `tako serve`, started detached when a command needs it."""

import contextlib
import errno
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tako_modules.base import files, paths
from tako_modules.base.clock import Clock
from tako_modules.base.errors import TakoError, Unreachable, translate
from tako_modules.base.program import this_program
from tako_modules.mgmt.client import Client, connect_unix
from tako_modules.model.server import LOCAL
from tako_modules.protocol.messages import ServerInfo
from tako_modules.protocol.replies import ServerInfoData
from tako_modules.supervisor import ports

__all__ = ["PORTS", "connect", "ensure", "free_pair", "serve_argv", "stop"]

PORTS = ((8080, 8443), (8081, 8444), (8082, 8445), (8083, 8446), (8084, 8447))  # plain and TLS, the first free pair
START_SECONDS = 30.0
STOP_SECONDS = 75.0  # init gives workers and apps 60 s, then ends them
LOOK_SECONDS = 0.1
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))  # where --loopback listens
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
SOCKET_BYTES = 107  # Linux: sun_path has 108, one of them ends it


async def ensure(clock: Clock, say: Callable[[str], None]) -> Path:
    """Make sure that the built-in server runs; gives its socket. Raises TakoError with the end of its log."""
    path = paths.local_socket()
    _check_length(path)
    if await _answers(path):
        return path
    folder = paths.home().local
    for needed in (folder, path.parent):
        _make_folder(needed)
    with _lock(folder / "start.lock"):
        if await _answers(path):
            return path
        ports = free_pair(PORTS, say)
        say(f"starting the built-in server on ports {ports[0]} and {ports[1]}; it is not restarted after a reboot")
        if os.geteuid() == 0:
            say("you are root: on the built-in server apps run as root too")
        child = _start(serve_argv(path, ports), folder / "serve.log")
        await _wait(path, child, folder / "serve.log", clock)
    return path


def _variable(path: Path) -> str:
    """Name the variable that decides where a path of the built-in server is."""
    return "TAKO_HOME" if path.is_relative_to(paths.home().local) else "XDG_RUNTIME_DIR"


def _check_length(path: Path) -> None:
    size = len(os.fsencode(path))
    if size > SOCKET_BYTES:
        raise TakoError(
            f"the path of the built-in server's socket is too long: {path} has {size} bytes, "
            f"and a socket's path may have {SOCKET_BYTES}",
            hint=f"set {_variable(path)} to a folder with a shorter path",
        )


def _make_folder(folder: Path) -> None:
    what = f"the built-in server cannot be used: cannot make the folder {folder}"
    with translate({OSError: TakoError}, what, hint=f"set {_variable(folder)} to a folder that you can write"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock of those who start the built-in server."""
    what = f"the built-in server cannot be started: cannot write in {path.parent}"
    with contextlib.ExitStack() as held:
        with translate({OSError: TakoError}, what, hint=f"set {_variable(path)} to a folder that you can write"):
            held.enter_context(files.file_lock(path))
        yield


async def connect() -> Client:
    """Connect to it as it is; raises Unreachable when it does not run."""
    return await connect_unix(paths.local_socket(), LOCAL)


async def stop(clock: Clock) -> bool:
    """Stop it and every app on it; False when it does not run. Raises TakoError when it does not end."""
    try:
        async with await connect() as client:
            info = await client.call(ServerInfo(), ServerInfoData)
    except Unreachable:
        return False
    pid = info.pids["init"]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    end = clock.monotonic() + STOP_SECONDS
    while _lives(pid):
        if clock.monotonic() > end:
            raise TakoError(f"the built-in server (pid {pid}) does not end", hint=f"end it with `kill -9 {pid}`")
        await clock.sleep(LOOK_SECONDS)
    return True


def _lives(pid: int) -> bool:
    """Whether a process has not ended; one that only waits to be collected by its starter has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def serve_argv(path: Path, ports: tuple[int, int]) -> list[str]:
    """Give the command line that starts it."""
    program = this_program()
    options = ["--rootless", "--socket", str(path), "--data-dir", str(paths.local_data_dir())]
    numbers = ["--port", str(ports[0]), "--tls-port", str(ports[1])]
    return [
        *program,
        "serve",
        *options,
        *numbers,
        "--loopback",
        "--no-acme",
        "--authority",
        str(paths.home().authority),
    ]


def _start(argv: Sequence[str], journal: Path) -> "subprocess.Popen[bytes]":
    what = f"the built-in server cannot be started: cannot write {journal}"
    with translate({OSError: TakoError}, what, hint="make it writable, or set TAKO_HOME to another folder"):
        journal.write_bytes(b"")
    with open(journal, "wb") as output:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True
        )


async def _wait(path: Path, child: "subprocess.Popen[bytes]", journal: Path, clock: Clock) -> None:
    end = clock.monotonic() + START_SECONDS
    while not await _answers(path):
        if child.poll() is not None or clock.monotonic() > end:
            raise _not_started(journal)
        await clock.sleep(LOOK_SECONDS)


def _not_started(journal: Path) -> TakoError:
    words = journal.read_text(errors="replace").strip().splitlines()[-5:]
    return TakoError(
        "the built-in server did not start: " + " / ".join(words or ["it printed nothing"]),
        hint=f"read {journal}, then run `tako servers restart local`",
    )


async def _answers(path: Path) -> bool:
    try:
        async with await connect_unix(path, LOCAL):
            return True
    except Unreachable:
        return False


def free_pair(pairs: Sequence[tuple[int, int]], say: Callable[[str], None]) -> tuple[int, int]:
    """Choose the first pair of ports that nobody listens on; `say` hears who holds one of the others."""
    for pair in pairs:
        taken = [port for port in pair if not _free(port)]
        if not taken:
            return pair
        say(f"port {taken[0]} is in use by {_holder(taken[0])}: trying the next pair")
    raise TakoError(
        f"none of the port pairs {', '.join(f'{plain}/{tls}' for plain, tls in pairs)} is free",
        hint="stop what uses them (look with `ss -tlnp`) and try again",
    )


def _free(port: int) -> bool:
    """Whether nobody listens on a port of this machine; an address family that it does not have is no hindrance."""
    for family, address in LOOPBACK:
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if error.errno not in _NO_FAMILY:
                return False
    return True


def _holder(port: int) -> str:
    """Say who listens on a port, as far as this user may see it: only one's own processes have names."""
    here = [listener for listener in ports.listeners() if listener.port == port]
    if not here:
        return "another program"
    pid = ports.holder({listener.inode for listener in here})
    if pid is None:
        return f"a program of {ports.user_words(here[0].uid)}"
    with contextlib.suppress(OSError):
        return f"{Path(f'/proc/{pid}/comm').read_text(errors='replace').strip()} (pid {pid})"
    return f"the process {pid}"
