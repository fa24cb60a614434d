"""The project's `release` command runs once for all servers; this decides where, and who must wait for it."""

import anyio

from tako_modules.base.errors import TakoError, Unreachable

__all__ = ["Gate", "ReleaseFailed", "ReleaseLost"]

WAIT_SECONDS = 630.0  # the command may take 10 minutes, its server half a minute more
BEFORE_SECONDS = 3600.0  # until it begins: its server uploads and installs first, perhaps on a slow line


class ReleaseFailed(TakoError):
    """The `release` command failed: nothing moves on any server."""


class ReleaseLost(Unreachable):
    """The server that ran the `release` command was lost meanwhile: nothing moves on any server."""

    def __init__(self, server: str) -> None:
        super().__init__(
            f"{server} was lost while it ran the release command; it may have run, and is not run twice",
            hint="look on that server what it did, then run `tako deploy` again",
        )


class Gate:
    """Held by the first server that passed preflight; opened by its success, shut by its failure for all."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.started = False  # it may have run, in whole or in part
        self._holder: str | None = None
        self._changed = anyio.Event()
        self._open = not command
        self._failure: TakoError | None = None

    def claim(self, server: str) -> None:
        """A server has passed preflight: the first one to say so runs the command."""
        if self._holder is None:
            self._holder = server

    def leave(self, server: str) -> ReleaseLost | None:
        """A server has failed: somebody else may run the command, unless it may have run; then that is given."""
        if self._holder != server or self._open or self._failure:
            return None
        if self.started:
            lost = ReleaseLost(server)
            self.shut(lost)
            return lost
        self._holder = None
        self._change()
        return None

    def begin(self) -> None:
        """The command is about to run; from now on the others wait for it alone."""
        self.started = True
        self._change()

    def open(self) -> None:
        """The command has succeeded: traffic may move everywhere."""
        self._open = True
        self._change()

    def shut(self, failure: TakoError) -> None:
        """The command has failed: nobody goes on."""
        self._failure = failure
        self._change()

    def _change(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def mine(self, server: str) -> bool:
        """Wait until the command has run elsewhere (False) or is this server's to run (True); raises its failure."""
        while True:
            if self._failure is not None:
                raise self._failure
            if self._open:
                return False
            self.claim(server)
            if self._holder == server:
                return True
            await self._wait()

    async def _wait(self) -> None:
        """Wait for the next change of what is known, not for ever."""
        seconds, what = (WAIT_SECONDS, "end") if self.started else (BEFORE_SECONDS, "begin")
        with anyio.move_on_after(seconds):
            await self._changed.wait()
            return
        raise ReleaseFailed(
            f"the release command did not {what} on {self._holder} within {seconds:.0f} s",
            hint="look at that server with `tako status`, then run `tako deploy` again",
        )
