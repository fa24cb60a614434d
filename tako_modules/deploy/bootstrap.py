"""Root on somebody's machine: put this very program there, let it plan, and let it make or unmake a server."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from tako_modules.base import files
from tako_modules.base.errors import TakoError, Unreachable
from tako_modules.mgmt import refusal
from tako_modules.protocol import frames, replies
from tako_modules.protocol.errors import FrameError, MessageError
from tako_modules.protocol.replies import Failure, StepEvent
from tako_modules.protocol.setup import InstallRequest, RemoveRequest, SetupData
from tako_modules.ssh import dial
from tako_modules.ssh.bootstrap import RootShell, hold_lock, root_shell
from tako_modules.ssh.login import Access, Login
from tako_modules.ssh.tunnel import SshStream

from . import machine
from .machine import Machine, Python
from .progress import Progress

__all__ = ["Site", "enter", "this_archive"]

INSTALLED = "/opt/tako/bin/current"  # where a server's program is: server.setup.layout
STAGE_SECONDS = 60.0
STAGE_BYTES = 256 << 20  # the program and its unpacked runtime, some to spare
UNFIT = 78  # exit code of the boot for a Python that the file was not built for, or no place to unpack
# A folder that lets programs run, where there is room; /tmp is often mounted so that it does not.
_MAKE_STAGE = f"""
import os, tempfile
for base in ("/tmp", "/var/tmp", "/opt", "/root"):
    if os.path.isdir(base):
        found = os.statvfs(base)
        if not found.f_flag & os.ST_NOEXEC and found.f_bavail * found.f_frsize > {STAGE_BYTES}:
            print(tempfile.mkdtemp(prefix="tako-setup-", dir=base))
            break
"""


def this_archive() -> Path:
    """Find the file that runs; raises TakoError in a checkout, which cannot be copied to a server."""
    named = os.environ.get("TAKO_PYZ", "")
    if not named:
        raise TakoError(
            "this tako runs from a checkout, and a server gets the one file",
            hint="build it with `python3 build_zipapp.py`, then run `dist/tako.pyz servers add …`",
        )
    return Path(named)


class Site:
    """A machine that we are root on and that nobody else sets up meanwhile."""

    def __init__(self, root: RootShell, seen: Machine) -> None:
        self.root = root
        self.seen = seen
        self._stage = ""
        self._program = ""
        self._cache = ""

    @property
    def admin(self) -> str:
        """The login that was used."""
        return self.root.session.user

    @property
    def login_key(self) -> str:
        """The public key that let us in, "" when that cannot be told."""
        return dial.login_key(self.root.session)

    @property
    def python(self) -> Python:
        """The interpreter there; raises TakoError when there is none that fits."""
        if self.seen.python is None:
            raise TakoError(
                f"{self.root.name} has no Python 3.11 or newer",
                hint="install it there, e.g. `apt-get install python3`, then run the same command again",
            )
        return self.seen.python

    async def install_python(self) -> None:
        """Install a Python that fits; raises TakoError."""
        await machine.install_python(self.root, self.seen.installer)
        self.seen = await machine.look(self.root)

    async def install(self, keys: Sequence[str], progress: Progress, *, apply: bool) -> SetupData:
        """Plan, or make, a server; progress hears of each step as it is begun. Raises TakoError."""
        await self._bring(progress, in_place=True)
        request = InstallRequest(apply=apply, public_keys=tuple(keys), python=self.python.path)
        return await self._ask("__install__", request, progress)

    async def remove(self, request: RemoveRequest, progress: Progress) -> SetupData:
        """Plan, or carry out, the removal of a server; raises TakoError."""
        await self._bring(progress, in_place=False)
        return await self._ask("__uninstall__", request, progress)

    async def restart(self) -> None:
        """Restart the service; connections wait in its listeners meanwhile. Raises TakoError with systemd's words."""
        done = await self.root.run("systemctl", "restart", "tako.service", timeout=200)
        if done.code != 0:
            raise TakoError(
                f"{self.root.name} did not restart: {done.err.decode(errors='replace').strip()}",
                hint="look with `journalctl -u tako` there",
            )

    async def _bring(self, progress: Progress, *, in_place: bool) -> None:
        """Have this program there: the installed one when it is the same, else a copy that goes with the connection."""
        if self._program:
            return
        archive, size = this_archive(), this_archive().stat().st_size
        mine = await anyio.to_thread.run_sync(files.file_digest, archive)
        shown = await self.root.run("sha256sum", f"{INSTALLED}/tako.pyz")
        is_same = shown.out.split()[:1] == [mine.encode()]
        if is_same and in_place:
            self._program, self._cache = f"{INSTALLED}/tako.pyz", f"{INSTALLED}/.tako-runtime"
            return
        self._stage = await self._make_stage()
        if is_same:
            await self._checked("cp", "-R", f"{INSTALLED}/.", self._stage)
        else:
            progress.step("", f"copying tako ({size >> 20} MiB)")
            await self.root.put(archive, f"{self._stage}/tako.pyz", progress=lambda sent: progress.sent("", sent, size))
            await self._checked("mkdir", "-p", f"{self._stage}/.tako-runtime")
        self._program, self._cache = f"{self._stage}/tako.pyz", f"{self._stage}/.tako-runtime"

    async def _make_stage(self) -> str:
        done = await self._checked(self.python.path, "-IS", "-c", _MAKE_STAGE)
        path = done.decode(errors="replace").strip()
        if not path:
            raise TakoError(
                f"{self.root.name} has no folder with {STAGE_BYTES >> 20} MiB free where programs may run",
                hint="free some space below /var/tmp there, then run the same command again",
            )
        return path

    async def close(self) -> None:
        """Take the copy away; quiet when the connection is gone, for /tmp is cleaned by the system too."""
        if self._stage:
            with anyio.move_on_after(STAGE_SECONDS, shield=True):
                try:
                    await self.root.run("rm", "-rf", self._stage)
                except TakoError:
                    return

    async def _checked(self, *argv: str) -> bytes:
        done = await self.root.run(*argv, timeout=STAGE_SECONDS)
        if done.code != 0:
            words = done.err.decode(errors="replace").strip() or f"code {done.code}"
            raise TakoError(f"{argv[0]} on {self.root.name} failed: {words}")
        return done.out

    async def _ask(self, command: str, request: InstallRequest | RemoveRequest, progress: Progress) -> SetupData:
        """Run the program there: the request goes in, its steps and its answer come out."""
        run = (self.python.path, "-IS", self._program, command)
        argv = (*self.root.prefix, "env", f"TAKO_CACHE={self._cache}", *run)
        process = await self.root.session.open(argv)
        stream = SshStream(process, self.root.name)
        try:
            await stream.send(msgspec.json.encode(request))
            await stream.send_eof()
            return await self._answer(stream, progress)
        except Unreachable as error:
            if process.returncode is None:
                raise
            raise TakoError(
                error.message, hint="run the same command again with -v, and look at that machine"
            ) from error
        finally:
            await anyio.aclose_forcefully(stream)

    async def _answer(self, stream: SshStream, progress: Progress) -> SetupData:
        lines = frames.LineDecoder()
        try:
            while True:
                while (line := lines.line()) is None:
                    lines.feed(await stream.receive())
                answer = replies.decode_reply(line)
                if isinstance(answer, Failure):
                    raise refusal.error_of(answer)
                if answer is not None:
                    return replies.decode_data(answer, SetupData)
                progress.step("", replies.decode_data(line, StepEvent).text)
        except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise TakoError(
                f"the program on {self.root.name} ended before it was done", hint="run the same command again"
            ) from error
        except (MessageError, FrameError) as error:
            raise TakoError(f"{self.root.name}: {error}", hint="run the same command again") from error


@asynccontextmanager
async def enter(login: Login, access: Access) -> AsyncIterator[Site]:
    """Log in, become root, keep others out, look around; the machine is as it was when the block does nothing.

    Raises Unreachable, TakoError (no root, not a machine for it), Locked (somebody else is at it).
    """
    async with dial.connect(login, access) as session:
        root = await root_shell(session)
        async with hold_lock(root):
            site = Site(root, await machine.look(root))
            try:
                yield site
            finally:
                await site.close()
