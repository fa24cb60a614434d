"""The certificates of a server: which hosts need one, who signs what is missing, and when the data plane must know."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import anyio

from tako_modules.base.clock import Clock
from tako_modules.certs import authority, selfsigned
from tako_modules.certs.keeper import Keeper
from tako_modules.certs.pair import Pair
from tako_modules.model.route import Route
from tako_modules.model.snapshot import Certificate

from .options import ServeOptions

__all__ = ["Certificates"]


class Certificates:
    """Keeps `certs/<domain>/` served; `changed` hears when what is served is another set."""

    def __init__(self, options: ServeOptions, folder: Path, clock: Clock, changed: Callable[[], None]) -> None:
        self._changed = changed
        if options.authority:
            local = authority.open_authority(Path(options.authority), now=clock.now())
            self._keeper = Keeper(folder, partial(_issue, local, clock), mark=local.fingerprint, clock=clock)
        else:
            self._keeper = Keeper(folder, partial(_sign_itself, clock), clock=clock)

    @property
    def current(self) -> tuple[Certificate, ...]:
        """What is served now."""
        return self._keeper.selection.value.certificates

    async def want(self, routes: Iterable[str]) -> None:
        """Make sure that the hosts of these routes have a certificate."""
        await self._keeper.want(_host(route) for route in routes)

    async def run(self) -> None:
        """Watch the files, and tell every change, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keeper.run)
            while True:
                await self._keeper.selection.changed()
                self._changed()


def _sign_itself(clock: Clock, host: str) -> Pair:
    return selfsigned.issue((host,), now=clock.now())


def _issue(local: authority.Authority, clock: Clock, host: str) -> Pair:
    return local.issue((host,), now=clock.now())


def _host(route: str) -> str:
    parsed = Route.parse(route)
    return ("*." if parsed.wildcard else "") + parsed.host
