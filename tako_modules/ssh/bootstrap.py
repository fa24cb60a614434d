"""Root on a machine that has no tako yet: by its own login or by sudo, and one at a time."""

import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from tako_modules.base.clock import SystemClock, utc_text
from tako_modules.base.errors import Locked, TakoError
from tako_modules.base.person import user_name
from tako_modules.base.process import Result
from tako_modules.base.text import plain_text

from . import problems, transfer
from .session import Session
from .tunnel import SshStream

__all__ = ["LOCK", "RootShell", "hold_lock", "root_shell"]

LOCK = "/run/tako-bootstrap.lock"  # not in /run/lock, where everybody may make files, and so hold a lock of this name
LOCK_SECONDS = 15.0  # for flock and the pipe under it to start
HOLDER_BYTES = 512  # of the lock's file that are told
_BUSY, _NOT_FOUND = 1, 127


class RootShell:
    """Runs everything as root on a session's host; implements Shell."""

    def __init__(self, session: Session, prefix: tuple[str, ...]) -> None:
        self.session = session
        self.prefix = prefix

    @property
    def name(self) -> str:
        """How messages call the host."""
        return self.session.name

    async def run(self, *argv: str, stdin: bytes = b"", timeout: float = 60) -> Result:
        """Run a command as root to its end; raises as Session.run does."""
        return await self.session.run(*self.prefix, *argv, stdin=stdin, timeout=timeout)

    async def put(
        self, source: Path | bytes, remote: str, *, mode: int = 0o644, progress: Callable[[int], None] | None = None
    ) -> None:
        """Write a file of root's whole or not at all, verified by SHA-256; progress: bytes that were sent."""
        await transfer.put(self._feed, source, remote, mode=mode, progress=progress)

    async def _feed(self, argv: Sequence[str], stdin: AsyncGenerator[bytes, None], timeout: float) -> Result:
        return await self.session.feed((*self.prefix, *argv), stdin, timeout)


async def root_shell(session: Session) -> RootShell:
    """Become root: the login is root's already, or sudo asks for no password. Raises TakoError when neither is so."""
    who = await session.run("id", "-u")
    if who.out.strip() == b"0":
        return RootShell(session, ())
    sudo = await session.run("sudo", "-n", "id", "-u")
    if sudo.out.strip() == b"0":
        return RootShell(session, ("sudo", "-n", "--"))
    words = sudo.err.decode(errors="replace").strip() or "its key may not run commands, or sudo is not there"
    as_root = problems.add_command(session.login, "root")
    raise TakoError(
        f"{session.user} on {session.name} is not root and cannot become it: {words}",
        hint=f"log in as root (`{as_root}`), or allow {session.user} sudo without a password while tako is set up",
    )


@asynccontextmanager
async def hold_lock(shell: RootShell) -> AsyncIterator[None]:
    """Keep others from setting up the same machine while the block runs.

    A remote process holds it and ends with the connection, so that only a file with our words stays behind. Raises
    Locked when somebody has it.
    """
    process = await shell.session.open((*shell.prefix, "flock", "-n", LOCK, "tee", LOCK))
    stream = SshStream(process, shell.name)
    words = _this_holder()
    try:
        await stream.send(words)
        with anyio.fail_after(LOCK_SECONDS):
            echo = await process.stdout.readline()
        if echo != words:
            await process.wait_closed()
            raise await _no_lock(shell, process.returncode, await process.stderr.read())
        yield
    except TimeoutError as error:
        raise TakoError(f"no answer from flock on {shell.name} within {LOCK_SECONDS:.0f} s") from error
    finally:
        await anyio.aclose_forcefully(stream)


def _this_holder() -> bytes:
    """Say who holds the lock and since when, in one line."""
    since = utc_text(SystemClock().now())
    words = f"{user_name()}@{socket.gethostname()} (pid {os.getpid()}) since {since}"
    return f"{plain_text(words, lines=False)}\n".encode()


async def _no_lock(shell: RootShell, code: int | None, words: bytes) -> TakoError:
    name = shell.name
    if code == _BUSY and not words.strip():
        told = await shell.run("head", "-c", str(HOLDER_BYTES), LOCK)
        who = plain_text(told.out.decode(errors="replace").strip(), lines=False) or "somebody else"
        return Locked(f"{name} is being set up at this moment by {who}", hint="wait until that is done and try again")
    if code == _NOT_FOUND:
        return TakoError(f"{name} has no flock", hint="install it there: `apt-get install util-linux`")
    return TakoError(f"cannot lock {LOCK} on {name}: {words.decode(errors='replace').strip() or f'code {code}'}")
