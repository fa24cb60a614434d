"""Which port the next instance gets."""

from collections.abc import Container
from itertools import chain

from tako_modules.base.errors import TakoError

__all__ = ["PORTS", "choose"]

PORTS = range(20000, 30000)  # plus the server's --instance-port-offset


def choose(taken: Container[int], *, offset: int = 0, newest: int = 0) -> int:
    """Choose the first free port after the newest one, going round; raises TakoError when all are taken.

    taken: ports that are held, still cool down, or have a listener; newest: the port that was given out last.
    """
    ports = range(PORTS.start + offset, PORTS.stop + offset)
    first = newest + 1 if newest + 1 in ports else ports.start
    for port in chain(range(first, ports.stop), range(ports.start, first)):
        if port not in taken:
            return port
    raise TakoError(
        f"all ports from {ports.start} to {ports.stop - 1} are taken",
        hint="lower `instances` of some apps with `tako scale`, or wait a minute",
    )
