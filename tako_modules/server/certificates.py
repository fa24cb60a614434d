"""The certificates of a server: which hosts need one, who signs what is missing, and when the data plane must know."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio

from tako_modules.base import log
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
        self._coming: Counter[str] = Counter()
        self._told: frozenset[str] = frozenset()
        if options.authority:
            local = authority.open_authority(Path(options.authority), now=clock.now())
            self._keeper = Keeper(folder, partial(_issue, local, clock), mark=local.fingerprint, clock=clock)
        else:
            self._keeper = Keeper(folder, partial(_sign_itself, clock), clock=clock)

    @property
    def current(self) -> tuple[Certificate, ...]:
        """What is served now."""
        return self._keeper.selection.value.certificates

    @contextmanager
    def coming(self, routes: Iterable[str]) -> Iterator[None]:
        """Count on routes that a change brings, whoever says meanwhile what is wanted, until the change has ended."""
        hosts = [_host(route) for route in routes]
        self._coming.update(hosts)
        try:
            yield
        finally:
            self._coming -= Counter(hosts)

    async def want(self, routes: Iterable[str]) -> None:
        """Make sure that the hosts of these routes, and of those that are coming, have a certificate; and no others."""
        await self._keeper.want([*(_host(route) for route in routes), *self._coming.elements()])

    async def run(self) -> None:
        """Watch the files, and tell every change, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keeper.run)
            while True:
                self._tell_problems()
                await self._keeper.selection.changed()
                self._changed()

    def _tell_problems(self) -> None:
        """Write down what is wrong with the files, once for each."""
        problems = frozenset(self._keeper.selection.value.problems)
        for problem in sorted(problems - self._told):
            log.event("certificate.problem", message=problem)
        self._told = problems


def _sign_itself(clock: Clock, host: str) -> Pair:
    return selfsigned.issue((host,), now=clock.now())


def _issue(local: authority.Authority, clock: Clock, host: str) -> Pair:
    return local.issue((host,), now=clock.now())


def _host(route: str) -> str:
    parsed = Route.parse(route)
    return ("*." if parsed.wildcard else "") + parsed.host
