"""Open the listeners, or go on with those that systemd or the init before kept."""

import contextlib
import errno
import grp
import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from . import systemd
from .options import MANAGEMENT, Address, Options, at

__all__ = ["CannotListen", "Listener", "StartProblem", "open_all", "remove_socket"]

BACKLOG = 4096  # connections that wait while workers are replaced; the kernel cuts it to somaxconn
MANAGEMENT_BACKLOG = 128  # callers of the management socket that wait while control is replaced
LET_GO = 0.5  # seconds that a server killed a moment ago may need to let go of its ports
TRY_AGAIN = 25  # milliseconds between two tries meanwhile
NO_SUCH_ADDRESS = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)  # how a machine without IPv6 answers
EVERY_IPV6, EVERY_IPV4 = "::", ""  # how the standard library writes them


class StartProblem(Exception):
    """What keeps init from starting, in one line; `exit_code` is what it ends with."""

    exit_code = 1


class CannotListen(StartProblem):
    """An address or the management socket cannot be bound."""

    exit_code = 98

    def __init__(self, key: str, number: int, reason: str = "") -> None:
        super().__init__(f"cannot listen on {key}: errno {number} ({reason or os.strerror(number)})")
        self.errno = number


class Listener(NamedTuple):
    """One listening socket: name, key (name and address as asked for), descriptor, and the address it really has."""

    name: str
    key: str
    descriptor: int
    address: str


def open_all(options: Options, held: Mapping[str, int], *, resumed: bool) -> tuple[list[Listener], list[str]]:
    """Give every configured listener in its order, the management socket last, and lines about those left out.

    held: store name → descriptor; what is held and still asked for is used again, what is not is closed.
    Raises CannotListen at a first start. After a re-exec a port that cannot be had is one of the lines, as the apps
    must live on; so is an IPv6 address on a machine without IPv6, where the name has another address.
    """
    left = dict(held)
    opened, problems = [], []
    for address in options.listen:
        try:
            descriptor = left.pop(systemd.store_name(address.key), None)
            opened.append(_listener(address, descriptor, reuse_port=options.reuse_port))
        except CannotListen as error:
            spare = error.errno in NO_SUCH_ADDRESS and _has_other(options.listen, address)
            if not resumed and not spare:
                raise
            problems.append(str(error))
    opened.append(_management(options, left))
    for name, descriptor in left.items():
        os.close(descriptor)
        systemd.forget(name)
    return opened, problems


def remove_socket(path: str) -> None:
    """Remove the management socket's name at an orderly stop, unless systemd keeps the socket for the next start."""
    if not systemd.supervises():
        with contextlib.suppress(OSError):
            Path(path).unlink()


def _has_other(listen: Iterable[Address], address: Address) -> bool:
    return any(other.name == address.name and other != address for other in listen)


def _listener(address: Address, descriptor: int | None, *, reuse_port: bool) -> Listener:
    if descriptor is None:
        descriptor = _patiently(address.key, partial(_bind_tcp, address, reuse_port=reuse_port)).detach()
        systemd.keep(address.key, descriptor)
    return Listener(address.name, address.key, _own(descriptor), _bound_address(descriptor))


def _patiently(key: str, bind: Callable[[], socket.socket]) -> socket.socket:
    """Bind, and wait a little for a dying server to let go."""
    deadline = time.monotonic() + LET_GO
    while True:
        try:
            return bind()
        except OSError as error:
            problem = CannotListen(key, error.errno or errno.EINVAL)
        except CannotListen as error:
            problem = error
        if problem.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
            raise problem
        select.poll().poll(TRY_AGAIN)


def _bind_tcp(address: Address, *, reuse_port: bool) -> socket.socket:
    """Bind one address; every address means both families where the machine has both."""
    if address.host not in ("", EVERY_IPV6):
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        place = (address.host, address.port)
        return socket.create_server(place, family=family, backlog=BACKLOG, reuse_port=reuse_port)
    try:
        return socket.create_server(
            (EVERY_IPV6, address.port),
            family=socket.AF_INET6,
            backlog=BACKLOG,
            reuse_port=reuse_port,
            dualstack_ipv6=True,
        )
    except (OSError, ValueError) as error:  # ValueError: no dual stack on this platform
        if isinstance(error, OSError) and error.errno not in NO_SUCH_ADDRESS:
            raise
    return socket.create_server((EVERY_IPV4, address.port), backlog=BACKLOG, reuse_port=reuse_port)


def _bound_address(descriptor: int) -> str:
    with socket.socket(fileno=os.dup(descriptor)) as listener:
        host, port = listener.getsockname()[:2]
    return at(str(host), int(port))


def _own(descriptor: int) -> int:
    os.set_inheritable(descriptor, False)
    os.set_blocking(descriptor, False)
    return descriptor


def _management(options: Options, left: dict[str, int]) -> Listener:
    """Go on with the kept socket where its name is still there; else make both."""
    path = options.socket
    key = f"{MANAGEMENT}={path}"
    descriptor = left.pop(systemd.store_name(key), None)
    if descriptor is not None and not Path(path).exists():
        os.close(descriptor)
        descriptor = None
    if descriptor is None:
        descriptor = _patiently(key, partial(_bind_management, options)).detach()
        systemd.keep(key, descriptor)
    return Listener(MANAGEMENT, key, _own(descriptor), path)


def _bind_management(options: Options) -> socket.socket:
    path = options.socket
    _clear(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        before = os.umask(0o177)  # nobody else may connect before owner and mode are right
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        if not options.rootless and options.group:
            os.chown(path, 0, _group_id(options.group))
            Path(path).chmod(0o660)
        listener.listen(MANAGEMENT_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise StartProblem(f"the group {name!r} does not exist") from None


def _clear(path: str) -> None:
    """Remove the name a dead server left; a living server's socket and any other file stay, and are an error."""
    place = Path(path)
    if not place.exists():
        return
    if not place.is_socket():
        raise CannotListen(f"{MANAGEMENT}={path}", errno.EEXIST, "there is a file that is no socket")
    with socket.socket(socket.AF_UNIX) as caller:
        caller.setblocking(False)
        answer = caller.connect_ex(path)
    if answer in (0, errno.EAGAIN):
        raise CannotListen(f"{MANAGEMENT}={path}", errno.EADDRINUSE, "another server is running")
    place.unlink()
