"""Root on a machine that has no tako yet: by its own login or by sudo, and one at a time."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from tako_modules.base.errors import Locked, TakoError
from tako_modules.base.process import Result

from . import problems, transfer
from .session import Session
from .tunnel import SshStream

__all__ = ["LOCK", "RootShell", "hold_lock", "root_shell"]

LOCK = "/run/tako-bootstrap.lock"
LOCK_SECONDS = 15.0  # for flock and the pipe under it to start
_READY = b"held\n"
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

    A remote process holds it and ends with the connection, so nothing stays behind. Raises Locked when somebody has it.
    """
    process = await shell.session.open((*shell.prefix, "flock", "-n", LOCK, "cat"))
    stream = SshStream(process, shell.name)
    try:
        await stream.send(_READY)
        with anyio.fail_after(LOCK_SECONDS):
            data = await process.stdout.read(len(_READY))
        if data != _READY:
            await process.wait_closed()
            raise _no_lock(shell.name, process.returncode, await process.stderr.read())
        yield
    except TimeoutError as error:
        raise TakoError(f"no answer from flock on {shell.name} within {LOCK_SECONDS:.0f} s") from error
    finally:
        await anyio.aclose_forcefully(stream)


def _no_lock(name: str, code: int | None, words: bytes) -> TakoError:
    if code == _BUSY and not words.strip():
        return Locked(
            f"somebody else is setting up {name} at this moment", hint="wait until that is done and try again"
        )
    if code == _NOT_FOUND:
        return TakoError(f"{name} has no flock", hint="install it there: `apt-get install util-linux`")
    return TakoError(f"cannot lock {LOCK} on {name}: {words.decode(errors='replace').strip() or f'code {code}'}")
