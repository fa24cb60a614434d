"""The project's `release` command runs once for all servers; this decides where, and who must wait for it."""

import anyio

from tako_modules.base.errors import TakoError, Unreachable

__all__ = ["Gate", "ReleaseFailed"]

WAIT_SECONDS = 630.0  # the command may take 10 minutes, its server half a minute more


class ReleaseFailed(TakoError):
    """The `release` command failed: nothing moves on any server."""


class Gate:
    """Held by the first server that passed preflight; opened by its success, shut by its failure for all."""

    def __init__(self, command: str) -> None:
        self.command = command
        self._holder: str | None = None
        self._started = False
        self._changed = anyio.Event()
        self._open = not command
        self._failure: TakoError | None = None

    def claim(self, server: str) -> None:
        """A server has passed preflight: the first one to say so runs the command."""
        if self._holder is None:
            self._holder = server

    def leave(self, server: str) -> None:
        """A server has failed: somebody else may run the command, unless it may have run already."""
        if self._holder != server or self._open or self._failure:
            return
        if self._started:
            self.shut(
                Unreachable(
                    f"{server} was lost while it ran the release command; it may have run, and is not run twice",
                    hint="look on that server what it did, then run `tako deploy` again",
                )
            )
            return
        self._holder = None
        self._change()

    def begin(self) -> None:
        """The command is about to run."""
        self._started = True

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
        with anyio.move_on_after(WAIT_SECONDS):
            while True:
                if self._failure is not None:
                    raise self._failure
                if self._open:
                    return False
                self.claim(server)
                if self._holder == server:
                    return True
                await self._changed.wait()
        raise ReleaseFailed(
            f"the release command did not end within {WAIT_SECONDS:.0f} s", hint="run `tako deploy` again"
        )
