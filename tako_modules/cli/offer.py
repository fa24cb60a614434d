"""A machine of the inventory that has no tako yet: whoever deploys to it may make it a server on the way."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tako_modules.base.errors import TakoError
from tako_modules.deploy.target import Connection
from tako_modules.mgmt.refusal import sole_error
from tako_modules.model.server import Server

from . import session
from .session import Session

__all__ = ["Offer"]

BARE = ("tako_missing", "login_refused")  # codes of a machine that `servers add` has never seen, or that is new since
ROOT = "root"


class Offer:
    """Reaches servers as the session does; where tako is missing and a person agrees, it is installed first."""

    def __init__(self, opened: Session) -> None:
        self._opened = opened

    @asynccontextmanager
    async def reach(self, server: Server) -> AsyncIterator[Connection]:
        """Connect to a server; raises TakoError."""
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._opened.reach(server))
            except (TakoError, BaseExceptionGroup) as error:
                problem = sole_error(error)
                if not isinstance(problem, TakoError) or not await self._makes(server, problem):
                    raise
                connection = await stack.enter_async_context(self._opened.reach(server))
            yield connection

    async def _makes(self, server: Server, problem: TakoError) -> bool:
        """Make a bare machine a server where a person says yes; False where that is not the way."""
        if problem.code not in BARE or not session.interactive() or self._opened.options.yes:
            return False
        from . import access, setup

        user, screen = server.admin or ROOT, self._opened.console
        question = f"{problem.message}. Log in as {user} and make {server.name} a server?"
        if not await access.ask(question, screen.still):
            return False
        await setup.make_server(server, user, screen)
        return True
