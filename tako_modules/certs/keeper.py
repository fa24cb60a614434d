"""Which certificate answers for which host: the best on disk, and a made one where there is none.

Better is: real before made by us; valid now before not; the exact name before a wildcard; the one that lasts longest.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path

import anyio

from tako_modules.base import log
from tako_modules.base.clock import Clock, SystemClock, utc_text
from tako_modules.base.errors import TakoError
from tako_modules.base.tasks import Snapshot
from tako_modules.model.snapshot import Certificate

from .pair import Details, Pair
from .shelf import Found, Shelf, folder_name

__all__ = ["HostStatus", "Keeper", "Selection"]

LOOK = 1.0  # seconds between looks at the files
RENEWAL = 30 * 86400  # seconds before its end at which a certificate that we made is made anew
RETRY = 60.0  # seconds until a host whose certificate could not be made is tried again


@dataclass(frozen=True, slots=True)
class HostStatus:
    """How one host is served; expires: wall time; made: by us, not by an authority that every client trusts."""

    host: str
    expires: float
    made: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """What is served now: each host stands in exactly one certificate's names; problems: sentences for people."""

    certificates: tuple[Certificate, ...] = ()
    hosts: tuple[HostStatus, ...] = ()
    problems: tuple[str, ...] = ()


class Keeper:
    """Owns a folder of certificates; `selection` is published anew whenever what is served changes.

    issuer: makes a pair for one host or `*.` pattern; mark: names the issuer, so that another one's work is replaced.
    """

    def __init__(
        self, folder: Path, issuer: Callable[[str], Pair], *, mark: str = "self-signed", clock: Clock | None = None
    ) -> None:
        self.selection = Snapshot(Selection())
        self._shelf = Shelf(folder)
        self._issuer = issuer
        self._mark = mark
        self._clock = clock or SystemClock()
        self._hosts: tuple[str, ...] = ()
        self._memory: dict[str, Found] = {}  # host → what was made for it and could not be written to disk
        self._names: dict[str, list[Found]] = {}  # name of a certificate → those that have it
        self._failures: dict[str, str] = {}  # host → why it has no certificate, or none on disk
        self._due = inf  # wall time at which something must be made even if no file changes
        self._turns = anyio.Lock()

    async def want(self, hosts: Iterable[str]) -> tuple[Certificate, ...]:
        """Say which hosts and `*.` patterns are routed now; what is missing is made, and all is published."""
        async with self._turns:
            self._hosts = tuple(sorted({host.lower() for host in hosts}))
            await anyio.to_thread.run_sync(self._update)
            self._publish()
        return self.selection.value.certificates

    async def run(self) -> None:
        """Watch the files until cancelled."""
        while True:
            await self._clock.sleep(LOOK)
            async with self._turns:
                if await anyio.to_thread.run_sync(self._scan) or self._clock.now() >= self._due:
                    await anyio.to_thread.run_sync(self._update)
                    self._publish()

    def lookup(self, host: str) -> Found | None:
        """Find the certificate for a host or pattern among all that are known."""
        now = self._clock.now()
        _, _, parent = host.partition(".")
        fitting = [(found, found.details, True) for found in self._names.get(host, ())]
        if not host.startswith("*."):  # a wildcard stands for one label: RFC 9525 section 6.3
            fitting += [(found, found.details, False) for found in self._names.get(f"*.{parent}", ())]
        ranked = [(_rank(found, details, exact, now), found) for found, details, exact in fitting if details]
        return max(ranked, key=lambda each: each[0])[1] if ranked else None

    def _scan(self) -> bool:
        try:
            return self._shelf.scan()
        except OSError as error:
            log.error("certs.scan", error)
            return False

    def _update(self) -> None:
        """Read what is new on disk and make what is missing."""
        self._scan()
        self._index()
        missing = [host for host in self._hosts if self._is_stale(self.lookup(host))]
        for host in missing:
            self._try_to_make(host)
        if missing:
            self._scan()
            self._index()
        self._due = min((self._due_of(host) for host in self._hosts), default=inf)

    def _index(self) -> None:
        self._names = {}
        for found in [*self._shelf.found.values(), *self._memory.values()]:
            for name in found.details.names if found.details else ():
                self._names.setdefault(name, []).append(found)

    def _is_stale(self, found: Found | None) -> bool:
        if found is None or found.details is None:
            return True
        ending = found.details.expires - self._clock.now() <= RENEWAL
        return found.made and (ending or found.mark != self._mark)

    def _due_of(self, host: str) -> float:
        found = self.lookup(host)
        if self._is_stale(found):
            return self._clock.now() + RETRY
        return found.details.expires - RENEWAL if found and found.made and found.details else inf

    def _try_to_make(self, host: str) -> None:
        try:
            self._make(host)
        except TakoError as error:
            log.error("certs.issue", error, host=host)
            self._failures[host] = f"no certificate could be made for {host}: {error.message}"

    def _make(self, host: str) -> None:
        from . import parsing

        pair = self._issuer(host)
        made = Found(folder_name(host), pair, parsing.examine(pair), made=True, mark=self._mark)
        self._failures.pop(host, None)
        self._memory.pop(host, None)
        try:
            if self._shelf.write(host, pair, self._mark):
                return
        except OSError as error:
            log.error("certs.write", error, host=host)
            self._failures[host] = f"the certificate for {host} could not be written: {error.strerror}"
        self._memory[host] = made

    def _publish(self) -> None:
        selection = self._select()
        if selection != self.selection.value:
            self.selection.publish(selection)

    def _select(self) -> Selection:
        chosen: dict[str, tuple[Pair, list[str]]] = {}
        status = []
        problems = [found.problem for found in self._shelf.found.values() if found.problem]
        problems += [words for host, words in self._failures.items() if host in self._hosts]
        for host in self._hosts:
            found = self.lookup(host)
            if found is None or found.pair is None or found.details is None:
                continue
            chosen.setdefault(found.pair.chain, (found.pair, []))[1].append(host)
            status.append(HostStatus(host, found.details.expires, found.made))
            if found.details.expires <= self._clock.now():
                problems.append(f"the certificate for {host} expired on {utc_text(found.details.expires)}")
        certificates = [
            Certificate(names=tuple(hosts), chain=pair.chain, key=pair.key) for pair, hosts in chosen.values()
        ]
        return Selection(certificates=tuple(certificates), hosts=tuple(status), problems=tuple(problems))


def _rank(found: Found, details: Details, exact: bool, now: float) -> tuple[bool, bool, bool, float]:
    return not found.made, details.begins <= now < details.expires, exact, details.expires
